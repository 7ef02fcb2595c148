"""A stand-in for DynamoDB and S3 that costs little, so that the client is measured."""
