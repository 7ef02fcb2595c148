"""pydynox, whose core is Rust; S3 by boto3."""

import json
import os
from collections.abc import Callable

import boto3
from pydynox import DynamoDBClient

from bench.dataset import BUCKET, DESTINATION_TABLE, SOURCE_TABLE
from bench.job import Job
from bench.variants.common import END, EXTRACT_KEY, START, TRANSFORM_KEY


def _client() -> DynamoDBClient:
    return DynamoDBClient(region=os.environ["AWS_DEFAULT_REGION"], endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def extract(_: Job) -> Callable[[], None]:
    """Its scan into a list, the list dumped to S3."""
    client, s3 = _client(), boto3.client("s3")

    def run() -> None:
        items = client.sync_scan(
            SOURCE_TABLE,
            filter_expression="#t >= :start AND #t < :end",
            expression_attribute_names={"#t": "timestamp"},
            expression_attribute_values={":start": START, ":end": END},
        )
        s3.put_object(Bucket=BUCKET, Key=EXTRACT_KEY, Body=json.dumps(list(items)))

    return run


def load(_: Job) -> Callable[[], None]:
    """sync_batch_write of the whole list (numbers as floats: it refuses Decimals)."""
    client, s3 = _client(), boto3.client("s3")

    def run() -> None:
        body = s3.get_object(Bucket=BUCKET, Key=TRANSFORM_KEY)["Body"].read()
        client.sync_batch_write(DESTINATION_TABLE, put_items=json.loads(body))

    return run
