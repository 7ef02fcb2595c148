"""boto3's client with its paginator, TypeDeserializer and TypeSerializer."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from bench.dataset import BUCKET, DESTINATION_TABLE, SOURCE_TABLE
from bench.job import Job
from bench.variants.common import END, EXTRACT_KEY, START, TRANSFORM_KEY, batches, default

SCAN: dict[str, Any] = {
    "TableName": SOURCE_TABLE,
    "FilterExpression": "#t >= :start AND #t < :end",
    "ExpressionAttributeNames": {"#t": "timestamp"},
    "ExpressionAttributeValues": {":start": {"S": START}, ":end": {"S": END}},
}


def extract(_: Job) -> Callable[[], None]:
    """Page by page, each item deserialized, the list dumped to S3."""
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")

    def run() -> None:
        deserialize = TypeDeserializer().deserialize
        items = []
        for page in dynamodb.get_paginator("scan").paginate(**SCAN):
            items += [{name: deserialize(value) for name, value in item.items()} for item in page["Items"]]
        s3.put_object(Bucket=BUCKET, Key=EXTRACT_KEY, Body=json.dumps(items, default=default))

    return run


def load(_: Job) -> Callable[[], None]:
    """Serialize each record, send 25 per request, and send unprocessed ones again."""
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")

    def run() -> None:
        serialize = TypeSerializer().serialize
        body = s3.get_object(Bucket=BUCKET, Key=TRANSFORM_KEY)["Body"].read()
        for batch in batches(json.loads(body, parse_float=Decimal)):
            puts = [{"PutRequest": {"Item": {k: serialize(v) for k, v in record.items()}}} for record in batch]
            left: dict[str, Any] = {DESTINATION_TABLE: puts}
            while left:
                left = dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]

    return run
