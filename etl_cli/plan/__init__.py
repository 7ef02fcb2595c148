"""`etl plan`: what a run would take and cost, before it begins."""
