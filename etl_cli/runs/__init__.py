"""Runs of the pipeline: what the ledger, Step Functions and the bucket know of them."""
