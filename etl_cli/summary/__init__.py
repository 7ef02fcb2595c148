"""One summary of a run, from the ledger, Step Functions, the bucket and the prices; and runs of many windows."""
