"""`etl seed`: made-up items for the source table."""
