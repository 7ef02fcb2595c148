"""`etl run`, `etl watch`: a run while it goes on."""
