"""`etl quarantine`: records that the runs have set aside, and how to run them again."""
