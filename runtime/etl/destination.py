"""The destination table, written in batches: whatever DynamoDB says to one, every record's fate is known."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from etl.aws import is_transient
from etl.channel import BatchWriter
from etl.errors import RejectedError
from etl.pacing import InFlight, Pacer

# With these DynamoDB refuses a whole batch for the sake of one item. Source: API reference of BatchWriteItem.
_REFUSALS = frozenset(("ValidationException", "RequestEntityTooLargeException"))
_BACKOFF_SECONDS = 0.05
_MOST_BACKOFF_SECONDS = 5.0
# At 5 ms an answer, more in flight gain less than 5 % (see docs/performance.md).
IN_FLIGHT = 16


class _Capacity(msgspec.Struct, rename="pascal"):
    capacity_units: float = 0.0


class _Text(msgspec.Struct):
    S: str


class _Keys(msgspec.Struct):
    id: _Text
    timestamp: _Text


class _Put(msgspec.Struct, rename="pascal"):
    item: _Keys


class _Request(msgspec.Struct, rename="pascal"):
    put_request: _Put


class _Answer(msgspec.Struct, rename="pascal"):
    unprocessed_items: dict[str, list[_Request]] = {}
    consumed_capacity: list[_Capacity] = []


Key = tuple[str, str]
"""``id`` and ``timestamp`` of a record."""

_answers = msgspec.json.Decoder(_Answer)


@dataclass
class Outcome:
    """What became of a batch.

    Attributes:
        loaded: records that DynamoDB took.
        rejected: records that DynamoDB refuses for their own sake, by key, with the reason.
        finished: whether every record is loaded or rejected; False when time ran out before.
        requests: requests that were sent.
        throttled: requests that DynamoDB answered with "later", in whole or in part.
    """

    loaded: int = 0
    rejected: dict[Key, RejectedError] = field(default_factory=dict)
    finished: bool = True
    requests: int = 0
    throttled: int = 0


class DestinationTable:
    """The destination table.

    Args:
        channel: sends a request once: the waiting between attempts is here, where the time that is left is known.
        name: name of the table.
        pacer: the ceiling.
        remaining_ms: time left in the invocation, in milliseconds.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        channel: BatchWriter,
        name: str,
        pacer: Pacer,
        remaining_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._channel = channel
        self._name = name
        self._pacer = pacer
        self._remaining_ms = remaining_ms
        self._sleep = sleep
        self._in_flight = InFlight(IN_FLIGHT)
        self._body = (
            b'{"RequestItems":{"%s":[{"PutRequest":{"Item":' % name.encode(),
            b'}},{"PutRequest":{"Item":',
            # What was consumed is asked for only where it is used.
            b'}}]},"ReturnConsumedCapacity":"TOTAL"}' if pacer.has_ceiling else b"}}]}}",
        )

    async def write(self, items: Mapping[Key, bytes]) -> Outcome:
        """Write a batch; waits, with full jitter, while DynamoDB says "later" and time allows.

        Args:
            items: at most 25 items of DynamoDB JSON by their keys.

        Raises:
            ClientError: the table is missing, or the role may not write it.
        """
        outcome = Outcome()
        await self._write(items, outcome)
        return outcome

    async def _write(self, pending: Mapping[Key, bytes], outcome: Outcome) -> None:
        attempt = 0
        while pending and outcome.finished:
            if not await self._wait(self._pacer.reserve(len(pending))):  # an item consumes one unit at least
                self._pacer.correct(-len(pending))
                outcome.finished = False
                return
            try:
                left = await self._send(pending, outcome)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _REFUSALS:
                    raise
                await self._isolate(pending, outcome, error)
                return
            outcome.loaded += len(pending) - len(left)
            if left:
                outcome.throttled += 1
                most = min(_MOST_BACKOFF_SECONDS, _BACKOFF_SECONDS * 2**attempt)
                outcome.finished = await self._wait(random.uniform(0, most))  # noqa: S311 - jitter
                attempt += 1
            pending = left

    async def _send(self, pending: Mapping[Key, bytes], outcome: Outcome) -> Mapping[Key, bytes]:
        """Send one request; returns what DynamoDB did not take: all of it when the request failed in passing."""
        first, between, last = self._body
        place = await self._in_flight.enter()
        left = pending
        outcome.requests += 1
        try:
            answer = _answers.decode(
                await self._channel.batch_write_item(first + between.join(pending.values()) + last)
            )
            left = {key: pending[key] for key in _unprocessed(answer, self._name)}
        except (ClientError, BotoCoreError) as error:
            self._pacer.correct(-len(pending))
            if not is_transient(error):
                left = {}
                raise
        else:
            if answer.consumed_capacity:
                consumed = sum(capacity.capacity_units for capacity in answer.consumed_capacity)
                self._pacer.correct(consumed - len(pending))
        finally:
            self._in_flight.leave(place, throttled=bool(left))
        return left

    async def _isolate(self, pending: Mapping[Key, bytes], outcome: Outcome, error: ClientError) -> None:
        """DynamoDB refuses the batch for the sake of an item: halve it until that item stands alone."""
        keys = list(pending)
        if len(keys) == 1:
            message = error.response["Error"]["Message"]
            outcome.rejected[keys[0]] = RejectedError("", "an item that DynamoDB takes", message)
            return
        middle = len(keys) // 2
        for half in (keys[:middle], keys[middle:]):
            await self._write({key: pending[key] for key in half}, outcome)

    async def _wait(self, seconds: float) -> bool:
        """Wait before a request; False when there is no time for it."""
        if not seconds:
            return True
        if self._remaining_ms() < 2 * 1000 * (seconds + _BACKOFF_SECONDS):
            return False
        await self._sleep(seconds)
        return True


def _unprocessed(answer: _Answer, table: str) -> list[Key]:
    """Keys of the items that DynamoDB left undone."""
    items = (request.put_request.item for request in answer.unprocessed_items.get(table, ()))
    return [(item.id.S, item.timestamp.S) for item in items]
