"""`etl doctor`: whether the pipeline is well."""
