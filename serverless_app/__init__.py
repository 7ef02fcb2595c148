"""Deploy time: what exists on AWS. Nothing of this package goes into a function."""
