"""`etl runs`, `etl show`, `etl gaps`, `etl logs`: the runs of the past, from the ledger and what AWS keeps of them."""
