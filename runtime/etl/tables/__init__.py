"""The tables of DynamoDB: the source, page by page, and the destination, batch by batch."""
