"""`etl quarantine`: what the runs have rejected, and how to run it again."""
