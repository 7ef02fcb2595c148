"""Proposals: a pipeline for a table, written down from the table's description and a sample of its items."""
