"""What is known of an execution of the pipeline: from the ledger, and from its history."""
