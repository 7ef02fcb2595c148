"""The destination table, written in batches: whatever DynamoDB says to one, every record's fate is known."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from etl.aws import is_transient
from etl.errors import RejectedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# With these DynamoDB refuses a whole batch for the sake of one item. Source: API reference of BatchWriteItem.
_REFUSALS = frozenset(("ValidationException", "RequestEntityTooLargeException"))
_BACKOFF_SECONDS = 0.05
_MOST_BACKOFF_SECONDS = 5.0


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


class Pacer:
    """Holds the writers of one worker to a number of write units a second.

    A writer reserves what a request consumes at least, waits, sends it, and corrects the reservation by what the
    answer says. Waiting comes first, so a writer whose time is too short for it just doesn't send.

    Args:
        units_per_second: the worker's share of the ceiling; None for no ceiling.
        clock: a clock that never goes back, in seconds.
    """

    def __init__(self, units_per_second: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = units_per_second
        self._clock = clock
        self._free_at = clock()
        self._lock = threading.Lock()

    def reserve(self, units: float) -> float:
        """Take ``units`` of the ceiling; returns how long to wait before they may be consumed, in seconds."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            starts = max(now, self._free_at)
            self._free_at = starts + units / self._rate
            return starts - now

    def correct(self, units: float) -> None:
        """Note that ``units`` more were consumed than reserved; fewer when negative."""
        if self._rate is not None:
            with self._lock:
                self._free_at += units / self._rate


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
        dynamodb: client of DynamoDB, made by ``etl.aws.dynamodb_client`` with a single attempt: the waiting
            between attempts is here, where the time that is left is known.
        name: name of the table.
        pacer: the ceiling.
        remaining_ms: time left in the invocation, in milliseconds.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        name: str,
        pacer: Pacer,
        remaining_ms: Callable[[], int],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._pacer = pacer
        self._remaining_ms = remaining_ms
        self._sleep = sleep

    def write(self, items: Mapping[Key, bytes]) -> Outcome:
        """Write a batch; waits, with full jitter, while DynamoDB says "later" and time allows.

        Args:
            items: at most 25 items of DynamoDB JSON by their keys.

        Raises:
            ClientError: the table is missing, or the role may not write it.
        """
        outcome = Outcome()
        self._write(dict(items), outcome)
        return outcome

    def _write(self, pending: dict[Key, bytes], outcome: Outcome) -> None:
        attempt = 0
        while pending and outcome.finished:
            if not self._wait(self._pacer.reserve(len(pending))):  # an item consumes one unit at least
                self._pacer.correct(-len(pending))
                outcome.finished = False
                return
            try:
                left = self._send(pending, outcome)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _REFUSALS:
                    raise
                self._isolate(pending, outcome, error)
                return
            outcome.loaded += len(pending) - len(left)
            if left:
                outcome.throttled += 1
                most = min(_MOST_BACKOFF_SECONDS, _BACKOFF_SECONDS * 2**attempt)
                outcome.finished = self._wait(random.uniform(0, most))  # noqa: S311 - jitter
                attempt += 1
            pending = left

    def _send(self, pending: dict[Key, bytes], outcome: Outcome) -> dict[Key, bytes]:
        """Send one request; returns what DynamoDB did not take: all of it when the request failed in passing."""
        outcome.requests += 1
        puts = b",".join(b'{"PutRequest":{"Item":%s}}' % item for item in pending.values())
        body = b'{"RequestItems":{"%s":[%s]},"ReturnConsumedCapacity":"TOTAL"}' % (self._name.encode(), puts)
        try:
            answer = self._dynamodb.batch_write_item(RequestItems={self._name: []}, RawBody=body)  # type: ignore[call-arg]
        except (ClientError, BotoCoreError) as error:
            self._pacer.correct(-len(pending))
            if is_transient(error):
                return pending
            raise
        raw = answer.get("RawBody")
        parsed = _answers.decode(raw if isinstance(raw, bytes) else msgspec.json.encode(answer))
        if parsed.consumed_capacity:
            consumed = sum(capacity.capacity_units for capacity in parsed.consumed_capacity)
            self._pacer.correct(consumed - len(pending))
        left = (request.put_request.item for request in parsed.unprocessed_items.get(self._name, []))
        return {key: pending[key] for key in ((item.id.S, item.timestamp.S) for item in left)}

    def _isolate(self, pending: dict[Key, bytes], outcome: Outcome, error: ClientError) -> None:
        """DynamoDB refuses the batch for the sake of an item: halve it until that item stands alone."""
        keys = list(pending)
        if len(keys) == 1:
            message = error.response["Error"]["Message"]
            outcome.rejected[keys[0]] = RejectedError("", "an item that DynamoDB takes", message)
            return
        middle = len(keys) // 2
        for half in (keys[:middle], keys[middle:]):
            self._write({key: pending[key] for key in half}, outcome)

    def _wait(self, seconds: float) -> bool:
        """Wait before a request; False when there is no time for it."""
        if not seconds:
            return True
        if self._remaining_ms() < 2 * 1000 * (seconds + _BACKOFF_SECONDS):
            return False
        self._sleep(seconds)
        return True
