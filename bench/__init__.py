"""The benchmark: the cost of moving a record, compared with other tools."""
