"""The deployed pipeline, and messages for AWS's errors."""
