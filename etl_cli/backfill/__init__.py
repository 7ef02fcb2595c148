"""`etl backfill`: a long time, window by window."""
