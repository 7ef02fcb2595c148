"""Values of DynamoDB in Python and in JSON, and their sizes."""
