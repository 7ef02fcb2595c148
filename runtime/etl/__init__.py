"""The run time of the pipeline: exactly what the Lambda functions contain."""
