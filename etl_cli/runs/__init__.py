"""Runs of the pipeline, as the ledger, Step Functions, the bucket and the logs show them."""
