"""A channel whose other end is the DynamoDB in memory."""

from types import TracebackType
from typing import Any, Self, cast

from etl.channel import ClientChannel
from tests.unit.fakes.dynamodb import FakeDynamoDB


class FakeChannel:
    """Hands every body to ``dynamodb`` at once."""

    def __init__(self, dynamodb: FakeDynamoDB) -> None:
        self._dynamodb = dynamodb

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def batch_write_item(self, body: bytes) -> bytes:
        await self._dynamodb.before_write()
        return await ClientChannel(cast("Any", self._dynamodb)).batch_write_item(body)
