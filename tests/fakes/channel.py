"""A channel whose other end is the DynamoDB in memory."""

import asyncio
from types import TracebackType
from typing import Any, Self, cast

from etl.tables.channel import ClientChannel
from tests.fakes.dynamodb import FakeDynamoDB


class FakeChannel:
    """Hands every body to ``dynamodb``, after a while if it is to take one.

    Attributes:
        under_way: requests under way at each request, itself included.
        tasks: tasks of the event loop at each request.
    """

    def __init__(self, dynamodb: FakeDynamoDB, seconds: float = 0) -> None:
        self._dynamodb = dynamodb
        self._client = ClientChannel(cast("Any", dynamodb))
        self._seconds = seconds
        self._now = 0
        self.under_way: list[int] = []
        self.tasks: list[int] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def batch_write_item(self, body: bytes) -> bytes:
        self._now += 1
        self.under_way.append(self._now)
        self.tasks.append(len(asyncio.all_tasks()))
        try:
            await asyncio.sleep(self._seconds)
            await self._dynamodb.before_write()
            return self._client._send(body)  # in this thread: a virtual clock goes on while one waits for another
        finally:
            self._now -= 1
