"""`etl preview`: the local transformation at work on real items."""
