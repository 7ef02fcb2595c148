"""The destination table, written in batches: whatever DynamoDB says to one, every record's fate is known."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from etl.aws.backoff import full_jitter
from etl.aws.clients import is_transient
from etl.model.rejection import RejectedError
from etl.model.schema import DESTINATION_KEY, Key, reader
from etl.tables.channel import BatchWriter
from etl.tables.pacing import InFlight, Pacer, units_at_most

# With these DynamoDB refuses a whole batch for the sake of one item. Source: API reference of BatchWriteItem.
_REFUSALS = frozenset(("ValidationException", "RequestEntityTooLargeException"))
# For the request itself, as long again as the wait before it, and so much at least.
_LEAST_SECONDS = 0.05
# Of the time at hand, so much is left for closing what is open (3 s of 5 minutes): an answer that hangs is given up.
_LAST_SHARE = 0.01
# An answer is waited for so long however late it is: each invocation makes progress.
_LEAST_ANSWER_SECONDS = 0.5
# At 5 ms an answer, more in flight gain less than 5 % (see docs/performance.md).
IN_FLIGHT = 16


class _Capacity(msgspec.Struct, rename="pascal"):
    capacity_units: float = 0.0


class _Put(msgspec.Struct, rename="pascal"):
    item: msgspec.Raw


class _Request(msgspec.Struct, rename="pascal"):
    put_request: _Put


class _Answer(msgspec.Struct, rename="pascal"):
    unprocessed_items: dict[str, list[_Request]] = {}
    consumed_capacity: list[_Capacity] = []


_answers = msgspec.json.Decoder(_Answer)
_key_of_item = reader(*DESTINATION_KEY, wire=True)


@dataclass
class Outcome:
    """What became of a batch.

    Attributes:
        loaded: records that DynamoDB took.
        rejected: records that DynamoDB refuses for their own sake, by key, with the reason.
        finished: whether every record is loaded or rejected; False when time ran out before.
        requests: requests that were sent.
        throttled: requests that DynamoDB answered with "later", in whole or in part.
        units: write units that DynamoDB says it consumed.
    """

    loaded: int = 0
    rejected: dict[Key, RejectedError] = field(default_factory=dict)
    finished: bool = True
    requests: int = 0
    throttled: int = 0
    units: float = 0.0


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
        self._last_ms = remaining_ms() * _LAST_SHARE
        self._sleep = sleep
        self._in_flight = InFlight(IN_FLIGHT)
        self._first: Outcome | None = None
        self._in_portions = asyncio.Lock()
        self._pacing = asyncio.Lock()
        self._body = (
            b'{"RequestItems":{"%s":[{"PutRequest":{"Item":' % name.encode(),
            b'}},{"PutRequest":{"Item":',
            b'}}]},"ReturnConsumedCapacity":"TOTAL"}',
        )

    async def write(self, items: Mapping[Key, bytes]) -> Outcome:
        """Write a batch; waits, with full jitter, while DynamoDB says "later" and time allows.

        Args:
            items: at most 25 items of DynamoDB JSON by their keys.

        Raises:
            ClientError: the table is missing, or the role may not write it.
        """
        outcome = Outcome()
        self._first = self._first or outcome
        portions = self._pacer.portions(items)
        if len(portions) == 1:
            await self._write(items, outcome)
            return outcome
        # One batch after the other: a batch counts as a whole, so that half of each would be nothing.
        async with self._in_portions:
            for portion in portions:
                await self._write(portion, outcome)
        return outcome

    async def _write(self, pending: Mapping[Key, bytes], outcome: Outcome) -> None:
        attempt = 0
        while pending and outcome.finished:
            try:
                left = await self._send(pending, outcome)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _REFUSALS:
                    raise
                await self._isolate(pending, outcome, error)
                return
            outcome.loaded += len(pending) - len(left)
            if left and outcome.finished:
                outcome.throttled += 1
                outcome.finished = await self._wait(full_jitter(attempt))
                attempt += 1
            pending = left

    async def _send(self, pending: Mapping[Key, bytes], outcome: Outcome) -> Mapping[Key, bytes]:
        """Send one request; returns what DynamoDB did not take: all of it when the request failed in passing."""
        first, between, last = self._body
        place = await self._in_flight.enter()
        left: Mapping[Key, bytes] = {}
        try:
            reserved = await self._reserve(pending, outcome)
            if not outcome.finished:
                return pending
            left = pending
            outcome.requests += 1
            answer = _answers.decode(await self._answered(first + between.join(pending.values()) + last))
            left = {key: pending[key] for key in _unprocessed(answer, self._name)}
            if answer.consumed_capacity:
                consumed = sum(capacity.capacity_units for capacity in answer.consumed_capacity)
                outcome.units += consumed
                self._pacer.correct(consumed - reserved)
        except (ClientError, BotoCoreError) as error:
            if _is_refused(error):
                self._pacer.correct(-reserved)
            if not is_transient(error):
                left = {}
                raise
        finally:
            self._in_flight.leave(place, throttled=bool(left))
        return left

    async def _answered(self, body: bytes) -> bytes:
        """The answer to a request, if it comes before the time ends."""
        try:
            async with asyncio.timeout(max(_LEAST_ANSWER_SECONDS, self._spare_seconds())):
                return await self._channel.batch_write_item(body)
        except TimeoutError:
            raise ReadTimeoutError(endpoint_url=f"table {self._name}") from None

    async def _reserve(self, pending: Mapping[Key, bytes], outcome: Outcome) -> int:
        """Wait until the ceiling allows a request; returns the units. The outcome isn't finished if time is short."""
        if self._spare_seconds() <= 0 and outcome is not self._first:  # it has waited for its place until then
            outcome.finished = False
            return 0
        if not self._pacer.has_ceiling:
            return 0
        units = sum(map(units_at_most, pending.values()))
        async with self._pacing:
            if await self._wait(self._pacer.reserve(units)):
                return units
            if outcome is self._first:
                # Each invocation makes progress: its first batch, 25 requests at most, is done whatever the ceiling.
                await self._sleep(self._remaining_ms() / 1000 / 50)
                return units
        self._pacer.correct(-units)
        outcome.finished = False
        return 0

    async def _isolate(self, pending: Mapping[Key, bytes], outcome: Outcome, error: ClientError) -> None:
        """DynamoDB refuses the batch for the sake of an item: halve it until that item stands alone."""
        keys = list(pending)
        if len(keys) == 1:
            message = error.response["Error"]["Message"]
            outcome.rejected[keys[0]] = RejectedError("must be an item that DynamoDB accepts", got=message)
            return
        middle = len(keys) // 2
        for half in (keys[:middle], keys[middle:]):
            await self._write({key: pending[key] for key in half}, outcome)

    def _spare_seconds(self) -> float:
        return (self._remaining_ms() - self._last_ms) / 1000

    async def _wait(self, seconds: float) -> bool:
        """Wait before a request; False when there is no time for it."""
        if not seconds:
            return True
        if self._spare_seconds() < 2 * (seconds + _LEAST_SECONDS):
            return False
        await self._sleep(seconds)
        return True


def _unprocessed(answer: _Answer, table: str) -> list[Key]:
    """Keys of the items that DynamoDB left undone."""
    return [_key_of_item(request.put_request.item) for request in answer.unprocessed_items.get(table, ())]


def _is_refused(error: Exception) -> bool:
    """Whether nothing was written for certain: behind any other error, the request may have been done."""
    status = (
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(error, ClientError) else 0
    )
    return 400 <= status < 500
