"""The views of a terminal, and the JSON documents for programs."""
