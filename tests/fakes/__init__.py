"""In-memory stand-ins for the clients of AWS that the stages use, as faithful as the stages can tell."""
