"""A stand-in for DynamoDB and S3 that costs little, so that what is measured is the client."""
