"""AWS SDK for pandas (awswrangler)."""

import json
import warnings
from collections.abc import Callable
from decimal import Decimal

import awswrangler as wr
import boto3
from boto3.dynamodb.conditions import Attr

from bench.dataset import BUCKET, DESTINATION_TABLE, SOURCE_TABLE, WINDOW_END
from bench.job import Job
from bench.variants.common import END, EXTRACT_KEY, START, TRANSFORM_KEY, default

warnings.simplefilter("ignore", UserWarning)  # it advises against a scan


def extract(_: Job) -> Callable[[], None]:
    """read_items into a list (its DataFrame refuses lists of mixed types), the list dumped to S3."""
    s3 = boto3.client("s3")

    def run() -> None:
        window = Attr("timestamp").gte(START) & Attr("timestamp").lt(END)
        items = wr.dynamodb.read_items(
            SOURCE_TABLE, filter_expression=window, allow_full_scan=True, as_dataframe=False, use_threads=False
        )
        s3.put_object(Bucket=BUCKET, Key=EXTRACT_KEY, Body=json.dumps(items, default=default))

    return run


def transform(_: Job) -> Callable[[], None]:
    """A DataFrame, transformed by columns."""

    def run() -> None:
        frame = wr.s3.read_json(
            f"s3://{BUCKET}/{EXTRACT_KEY}", orient="records", convert_dates=False, use_threads=False
        )
        required = frame[["id", "timestamp", "name", "value"]]
        if required.isna().to_numpy().any() or (frame["value"] < 0).any():
            raise ValueError("a record breaks the contract")
        frame["date"] = frame["timestamp"].str[:10]
        frame["size"] = "large"
        frame.loc[frame["value"] < 1000, "size"] = "medium"
        frame.loc[frame["value"] < 100, "size"] = "small"
        frame["as_of"] = WINDOW_END
        sums = frame.groupby("date", as_index=False)["value"].agg(["count", "sum", "min", "max"])
        wr.s3.to_json(frame, f"s3://{BUCKET}/{TRANSFORM_KEY}", orient="records", use_threads=False)
        wr.s3.to_json(sums, f"s3://{BUCKET}/transform/peer/aggregates.json", orient="records", use_threads=False)

    return run


def load(_: Job) -> Callable[[], None]:
    """put_items."""
    s3 = boto3.client("s3")

    def run() -> None:
        body = s3.get_object(Bucket=BUCKET, Key=TRANSFORM_KEY)["Body"].read()
        records = json.loads(body, parse_float=Decimal)
        wr.dynamodb.put_items(items=records, table_name=DESTINATION_TABLE)

    return run
