"""The tutorial's pipeline: boto3's resource, a list, json; the yardstick."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr

from bench.dataset import BUCKET, DESTINATION_TABLE, SOURCE_TABLE, WINDOW_END
from bench.job import Job
from bench.variants.common import END, EXTRACT_KEY, START, TRANSFORM_KEY, default


def extract(_: Job) -> Callable[[], None]:
    """Scan into a list, dump the list to S3."""
    table, s3 = boto3.resource("dynamodb").Table(SOURCE_TABLE), boto3.client("s3")

    def run() -> None:
        window = Attr("timestamp").gte(START) & Attr("timestamp").lt(END)
        response = table.scan(FilterExpression=window)
        items = response["Items"]
        while "LastEvaluatedKey" in response:
            response = table.scan(FilterExpression=window, ExclusiveStartKey=response["LastEvaluatedKey"])
            items.extend(response["Items"])
        s3.put_object(Bucket=BUCKET, Key=EXTRACT_KEY, Body=json.dumps(items, default=default))

    return run


def transform(_: Job) -> Callable[[], None]:
    """Load the JSON, check and enrich each record, sum up by date, dump it."""
    s3 = boto3.client("s3")

    def run() -> None:
        body = s3.get_object(Bucket=BUCKET, Key=EXTRACT_KEY)["Body"].read()
        records: list[dict[str, Any]] = []
        sums: dict[str, dict[str, Any]] = {}
        for record in json.loads(body, parse_float=Decimal):
            _check(record)
            record["date"] = record["timestamp"][:10]
            record["size"] = "small" if record["value"] < 100 else "medium" if record["value"] < 1000 else "large"
            record["as_of"] = WINDOW_END
            _add(sums, record)
            records.append(record)
        s3.put_object(Bucket=BUCKET, Key=TRANSFORM_KEY, Body=json.dumps(records, default=default))
        s3.put_object(Bucket=BUCKET, Key="transform/peer/aggregates.json", Body=json.dumps(sums, default=default))

    return run


def _check(record: dict[str, Any]) -> None:
    for name in ("id", "timestamp", "name"):
        if not isinstance(record.get(name), str) or not record[name]:
            raise ValueError(f"{name} must be text")
    if not isinstance(record.get("value"), int | Decimal) or record["value"] < 0:
        raise ValueError("value must be a number >= 0")


def _add(sums: dict[str, dict[str, Any]], record: dict[str, Any]) -> None:
    value = record["value"]
    group = sums.setdefault(record["date"], {"records": 0, "sum": 0, "min": value, "max": value})
    group["records"] += 1
    group["sum"] += value
    group["min"] = min(group["min"], value)
    group["max"] = max(group["max"], value)


def load(_: Job) -> Callable[[], None]:
    """Load the JSON, write each record through batch_writer."""
    table, s3 = boto3.resource("dynamodb").Table(DESTINATION_TABLE), boto3.client("s3")

    def run() -> None:
        body = s3.get_object(Bucket=BUCKET, Key=TRANSFORM_KEY)["Body"].read()
        with table.batch_writer() as batch:
            for record in json.loads(body, parse_float=Decimal):
                batch.put_item(Item=record)

    return run
