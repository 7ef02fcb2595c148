"""A file for each verb that you type."""
