"""Deploy time: the resources on AWS. No function contains this package."""
