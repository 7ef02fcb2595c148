"""`etl explain`: one item's way through the pipeline."""
