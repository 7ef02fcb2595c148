"""AWS: the deployed pipeline, and the reasons why AWS can't be asked."""
