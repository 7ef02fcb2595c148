"""The destination table, written in batches: each answer of DynamoDB gives every record an outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from etl.aws.backoff import full_jitter
from etl.aws.clients import is_refused, is_transient
from etl.model.keys import Key, KeyAttributes, wire_reader
from etl.model.limits import IN_FLIGHT
from etl.model.rejection import RejectedError
from etl.model.schema import SPECIFIED
from etl.tables.batch_writer import BatchWriter
from etl.tables.ceiling import Pacer
from etl.tables.write_pace import InFlight, portions, units_at_most

# DynamoDB refuses a whole batch because of one item with these codes. Source: API reference of BatchWriteItem.
_REFUSALS = frozenset(("ValidationException", "RequestEntityTooLargeException"))
# The time for a request itself: as long as the wait before it, and at least this.
_LEAST_SECONDS = 0.05
# This share of the time stays for closing open parts (3 s of 5 minutes). No answer is awaited for longer.
_LAST_SHARE = 0.01
# The least wait for an answer, even at the end of the time: each invocation makes progress.
_LEAST_ANSWER_SECONDS = 0.5


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


@dataclass
class Outcome:
    """The outcome of a batch.

    Attributes:
        loaded: the number of records that DynamoDB took.
        rejected: the records that DynamoDB refuses, by key, each with the reason.
        finished: whether every record is loaded or rejected; False if time ran out before.
        requests: the number of requests.
        throttled: the number of requests that DynamoDB throttled, in whole or in part.
        units: the write units that DynamoDB consumed, by its own answer.
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
        writer: sends a request once. The waits between attempts are here, where the remaining time is known.
        name: name or ARN of the table.
        pacer: the ceiling.
        remaining_ms: the remaining time of the invocation, in milliseconds.
        sleep: waits for a number of seconds.
        key: the table's key.
    """

    def __init__(
        self,
        writer: BatchWriter,
        name: str,
        pacer: Pacer,
        remaining_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        key: KeyAttributes = SPECIFIED.destination,
    ) -> None:
        self._writer = writer
        self._key_of_item = wire_reader(key)
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
        """Write a batch. While DynamoDB throttles it and time allows, wait with full jitter and try again.

        Args:
            items: at most 25 items of DynamoDB JSON, by key.

        Raises:
            ClientError: the table is missing, or the role may not write it.
        """
        outcome = Outcome()
        self._first = self._first or outcome
        in_portions = portions(items, self._pacer.units_per_second)
        if len(in_portions) == 1:
            await self._write(items, outcome)
            return outcome
        # One batch after the other: only whole batches count, so two half-written batches would be no progress.
        async with self._in_portions:
            for portion in in_portions:
                await self._write(portion, outcome)
        return outcome

    async def _write(self, pending: Mapping[Key, bytes], outcome: Outcome) -> None:
        attempt = 0
        while pending and outcome.finished:
            try:
                unwritten = await self._send(pending, outcome)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _REFUSALS:
                    raise
                await self._isolate(pending, outcome, error)
                return
            outcome.loaded += len(pending) - len(unwritten)
            if unwritten and outcome.finished:
                outcome.throttled += 1
                outcome.finished = await self._wait(full_jitter(attempt))
                attempt += 1
            pending = unwritten

    async def _send(self, pending: Mapping[Key, bytes], outcome: Outcome) -> Mapping[Key, bytes]:
        """Send one request and return the items that DynamoDB did not take: all of them after a transient failure."""
        first, between, last = self._body
        place = await self._in_flight.enter()
        unwritten: Mapping[Key, bytes] = {}
        try:
            reserved = await self._reserve(pending, outcome)
            if not outcome.finished:
                return pending
            unwritten = pending
            outcome.requests += 1
            answer = _answers.decode(await self._answered(first + between.join(pending.values()) + last))
            unwritten = {key: pending[key] for key in self._unprocessed(answer)}
            if answer.consumed_capacity:
                consumed = sum(capacity.capacity_units for capacity in answer.consumed_capacity)
                outcome.units += consumed
                self._pacer.correct(consumed - reserved)
        except (ClientError, BotoCoreError) as error:
            if is_refused(error):
                self._pacer.correct(-reserved)
            if not is_transient(error):
                unwritten = {}
                raise
        finally:
            self._in_flight.leave(place, throttled=bool(unwritten))
        return unwritten

    async def _answered(self, body: bytes) -> bytes:
        """Wait for the answer to a request until the time ends."""
        try:
            async with asyncio.timeout(max(_LEAST_ANSWER_SECONDS, self._spare_seconds())):
                return await self._writer.batch_write_item(body)
        except TimeoutError:
            raise ReadTimeoutError(endpoint_url=f"table {self._name}") from None

    async def _reserve(self, pending: Mapping[Key, bytes], outcome: Outcome) -> int:
        """Wait until the ceiling allows a request; return its units. If time is short, the outcome isn't finished."""
        if self._spare_seconds() <= 0 and outcome is not self._first:  # the wait for its place took the time
            outcome.finished = False
            return 0
        if self._pacer.units_per_second is None:
            return 0
        units = sum(map(units_at_most, pending.values()))
        async with self._pacing:
            if await self._wait(self._pacer.reserve(units)):
                return units
            if outcome is self._first:
                # Each invocation makes progress: it writes its first batch, 25 requests at most, at any ceiling.
                await self._sleep(self._remaining_ms() / 1000 / 50)
                return units
        self._pacer.correct(-units)
        outcome.finished = False
        return 0

    async def _isolate(self, pending: Mapping[Key, bytes], outcome: Outcome, error: ClientError) -> None:
        """Find the item because of which DynamoDB refuses a batch: halve it until that item is alone."""
        keys = list(pending)
        if len(keys) == 1:
            message = error.response["Error"]["Message"]
            outcome.rejected[keys[0]] = RejectedError("must be an item that DynamoDB accepts", got=message)
            return
        middle = len(keys) // 2
        for half in (keys[:middle], keys[middle:]):
            await self._write({key: pending[key] for key in half}, outcome)

    def _unprocessed(self, answer: _Answer) -> list[Key]:
        """The keys of the items that DynamoDB did not write."""
        # By the name or ARN of the one table that was written (API reference, BatchWriteItem).
        requests = chain.from_iterable(answer.unprocessed_items.values())
        return [self._key_of_item(request.put_request.item) for request in requests]

    def _spare_seconds(self) -> float:
        return (self._remaining_ms() - self._last_ms) / 1000

    async def _wait(self, seconds: float) -> bool:
        """Wait before a request; False if there is no time for it."""
        if not seconds:
            return True
        if self._spare_seconds() < 2 * (seconds + _LEAST_SECONDS):
            return False
        await self._sleep(seconds)
        return True
