"""The terminal: output, input and their formats."""
