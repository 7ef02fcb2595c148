"""The constructs of the stack."""
