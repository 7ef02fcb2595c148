"""aiobotocore: botocore on an event loop."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

from aiobotocore.session import get_session
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from bench.dataset import BUCKET, DESTINATION_TABLE
from bench.job import Job
from bench.variants.boto3_client import SCAN
from bench.variants.common import EXTRACT_KEY, TRANSFORM_KEY, batches, default

IN_FLIGHT = 16


def _clients() -> tuple[asyncio.AbstractEventLoop, Any, Any]:
    """A loop, and clients of DynamoDB and S3 that live as long as the process."""
    loop, stack, session = asyncio.new_event_loop(), AsyncExitStack(), get_session()
    dynamodb = loop.run_until_complete(stack.enter_async_context(session.create_client("dynamodb")))
    s3 = loop.run_until_complete(stack.enter_async_context(session.create_client("s3")))
    return loop, dynamodb, s3


def extract(_: Job) -> Callable[[], None]:
    """Page by page, each item deserialized, the list dumped to S3."""
    loop, dynamodb, s3 = _clients()

    async def run() -> None:
        deserialize = TypeDeserializer().deserialize
        items = []
        async for page in dynamodb.get_paginator("scan").paginate(**SCAN):
            items += [{name: deserialize(value) for name, value in item.items()} for item in page["Items"]]
        await s3.put_object(Bucket=BUCKET, Key=EXTRACT_KEY, Body=json.dumps(items, default=default).encode())

    return lambda: loop.run_until_complete(run())


def load(_: Job) -> Callable[[], None]:
    """Each record serialized, 25 to a request, 16 requests in flight."""
    loop, dynamodb, s3 = _clients()
    slots = asyncio.Semaphore(IN_FLIGHT)
    serialize = TypeSerializer().serialize

    async def write(batch: list[dict[str, Any]]) -> None:
        async with slots:
            puts = [{"PutRequest": {"Item": {k: serialize(v) for k, v in record.items()}}} for record in batch]
            left: dict[str, Any] = {DESTINATION_TABLE: puts}
            while left:
                left = (await dynamodb.batch_write_item(RequestItems=left))["UnprocessedItems"]

    async def run() -> None:
        answer = await s3.get_object(Bucket=BUCKET, Key=TRANSFORM_KEY)
        async with answer["Body"] as stream:
            records = json.loads(await stream.read(), parse_float=Decimal)
        await asyncio.gather(*map(write, batches(records)))

    return lambda: loop.run_until_complete(run())
