"""AWS: where the pipeline is deployed, and what AWS refuses."""
