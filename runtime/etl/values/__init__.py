"""Values of DynamoDB as Python has them, as JSON has them, and their sizes."""
