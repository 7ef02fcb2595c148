"""aiodynamo, on aiohttp; S3 by boto3."""

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import aiohttp
import boto3
from aiodynamo.client import Client
from aiodynamo.credentials import Credentials
from aiodynamo.expressions import F
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchWriteRequest
from yarl import URL

from bench.dataset import BUCKET, DESTINATION_TABLE, SOURCE_TABLE
from bench.job import Job
from bench.variants.common import END, EXTRACT_KEY, START, TRANSFORM_KEY, batches

IN_FLIGHT = 16


def _client() -> tuple[asyncio.AbstractEventLoop, Client]:
    loop = asyncio.new_event_loop()

    async def make() -> Client:
        http = AIOHTTP(aiohttp.ClientSession())
        endpoint = URL(os.environ["AWS_ENDPOINT_URL"])
        return Client(http, Credentials.auto(), os.environ["AWS_DEFAULT_REGION"], endpoint=endpoint)

    return loop, loop.run_until_complete(make())


def extract(_: Job) -> Callable[[], None]:
    """Its scan into a list (numbers as floats, its default), the list dumped to S3."""
    (loop, client), s3 = _client(), boto3.client("s3")

    async def run() -> None:
        window = F("timestamp").gte(START) & F("timestamp").lt(END)
        items = [item async for item in client.scan(SOURCE_TABLE, filter_expression=window)]
        s3.put_object(Bucket=BUCKET, Key=EXTRACT_KEY, Body=json.dumps(items))

    return lambda: loop.run_until_complete(run())


def load(_: Job) -> Callable[[], None]:
    """batch_write, 16 requests in flight."""
    (loop, client), s3 = _client(), boto3.client("s3")
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def write(batch: list[dict[str, Any]]) -> None:
        async with slots:
            left = batch
            while left:
                request = {DESTINATION_TABLE: BatchWriteRequest(items_to_put=left)}
                result = (await client.batch_write(request)).get(DESTINATION_TABLE)
                left = result.unput_items if result else []

    async def run() -> None:
        body = s3.get_object(Bucket=BUCKET, Key=TRANSFORM_KEY)["Body"].read()
        await asyncio.gather(*map(write, batches(json.loads(body))))

    return lambda: loop.run_until_complete(run())
