"""Load: write the staged records to the destination table."""

import asyncio
import os
from collections import deque
from collections.abc import Collection
from decimal import Decimal
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from botocore.session import Session, get_session

from etl.aws.access import reach
from etl.aws.clients import AsFarAsPossible, dynamodb_client, s3_client
from etl.finish import finish
from etl.handler import Context, Event, run_action, run_of, segments_of, work_of
from etl.invocation.deadline import Deadline
from etl.ledger import Ledger
from etl.model.errors import Reason, TransientError
from etl.model.keys import Key, keys_of, plain_reader
from etl.model.limits import IN_FLIGHT
from etl.model.run import Run, Work
from etl.model.stages import FINISH, LOAD, read_by
from etl.settings import LoadSettings
from etl.staging.batches import RETRY_SHARE, Batch
from etl.staging.bucket import BEGINNING, Staging
from etl.staging.keys import quarantine_key
from etl.staging.quarantine import rejected_line
from etl.staging.writer import PartWriter
from etl.tables.batch_writer import open_batch_writer
from etl.tables.ceiling import Pacer
from etl.tables.destination import DestinationTable, Outcome
from etl.values.attribute_values import Number, to_wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_STAGED = read_by(LOAD)
# Load rejects few records, and each has at most 400 KB. So its parts of quarantine are small.
_QUARANTINE_BYTES = 16 * 1024 * 1024
# Items in flight take some five times their bytes: as staged, as an item, in the body of the request, in the transport
# and in an answer that leaves them unprocessed. Sixteen batches of 4 KB records have 1.6 MB. A request stays far below
# the 16 MB of BatchWriteItem (API reference): DynamoDB JSON has at most five times the bytes of plain JSON (``0,`` is
# ``{"N":"0"},``). A batch of several records has at most BATCH_BYTES of plain JSON, and a longer record is alone in its
# batch. Such a record still fits into an item, so it has at most 5 MB.
IN_FLIGHT_BYTES = 8 * 1024 * 1024
_records = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Number)
_encoder = msgspec.json.Encoder()
# The errors of a staged record that Transform can't have written. A key that is no number lacks a number's attribute,
# and one with too many digits is an arithmetic error.
_MALFORMED = (
    msgspec.DecodeError,
    KeyError,
    TypeError,
    ValueError,
    RecursionError,
    AttributeError,
    ArithmeticError,
)


class _Pending(NamedTuple):
    """A batch in flight.

    Attributes:
        before: the cursor before the batch.
        after: the cursor after it.
        batch: its staged records.
        items: its items in DynamoDB JSON, by key.
        size: the bytes of its items.
        outcome: the writing of the batch.
    """

    before: dict[str, int]
    after: dict[str, int]
    batch: Batch
    items: dict[Key, bytes]
    size: int
    outcome: asyncio.Task[Outcome]


async def load_segment(
    run: Run,
    work: Work,
    destination: DestinationTable,
    staging: Staging,
    deadline: Deadline,
    in_flight_bytes: int = IN_FLIGHT_BYTES,
) -> Work:
    """Write a segment's records until they end, time runs low or staging can't be read for a while.

    Several batches are in flight at a time, with at most ``in_flight_bytes``, or a larger one alone. No two have a key
    in common, so that the last record of a key wins. The counts cover the records before the cursor,
    ``{"part": …, "offset": …}``. Records after it may be written twice, which changes nothing.

    Raises:
        TransientError: nothing could be written in the time of this invocation.
    """
    first = work.counted("load_quarantine_parts")
    with PartWriter(
        staging.open, lambda part: quarantine_key(LOAD, run, work.segment, part), first, _QUARANTINE_BYTES
    ) as rejected:
        loader = _Loader(run, work, destination, staging, rejected, in_flight_bytes)
        cursor = await loader.until(deadline)
        rejected.close()
    if cursor is not None and cursor == (work.cursor or BEGINNING):
        raise TransientError(
            f"run {run.id}, segment {work.segment}: the destination table accepted nothing during a whole "
            "invocation: its capacity is used up; look at its throttling metrics, or lower the ceiling on write units",
            Reason.DESTINATION_BUSY,
        )
    work.count("load_quarantine_parts", rejected.next_part - first)
    return Work(segment=work.segment, cursor=cursor, counts=work.counts)


class _Loader:
    """One invocation's work on one segment."""

    def __init__(
        self,
        run: Run,
        work: Work,
        destination: DestinationTable,
        staging: Staging,
        rejected: PartWriter,
        in_flight_bytes: int,
    ) -> None:
        self._run = run
        self._keys_of = keys_of(run.schema.destination)
        self._work = work
        self._destination = destination
        self._staging = staging
        self._rejected = rejected
        self._pending: deque[_Pending] = deque()
        self._pending_keys: set[Key] = set()
        self._pending_bytes = 0
        self._most_bytes = in_flight_bytes
        self._stopped_at: dict[str, int] | None = None

    async def until(self, deadline: Deadline) -> dict[str, int] | None:
        """Work until the segment or the time ends, or reading fails; returns the next cursor, None at the end."""
        before = self._work.cursor or BEGINNING
        out_of_time = False
        batches = AsFarAsPossible(self._staging.segment_batches(_STAGED, self._run, self._work))
        try:
            # Reading blocks for every 4 MiB. Answers that arrive meanwhile wait in their sockets.
            for after, key, batch in batches:
                # Before the batch is decoded, so that a record that takes much memory is alone.
                await self._make_room(batch.end - batch.start)
                items = self._marshalled(key, batch)
                size = sum(map(len, items.values()))
                await self._make_room(size, items)
                if self._stopped_at is not None or out_of_time:
                    break
                outcome = asyncio.create_task(self._destination.write(items))
                self._begin(_Pending(before, after, batch, items, size, outcome))
                before = after
                out_of_time = not deadline.allows_another()
            else:
                out_of_time = batches.cut
            while self._pending:
                await self._settle()
        finally:
            await self._give_up()
        if self._stopped_at is not None:
            return self._stopped_at
        return before if out_of_time else None

    def _marshalled(self, key: str, batch: Batch) -> dict[Key, bytes]:
        """A batch as items of DynamoDB JSON by key: of two with one key, the last."""
        try:
            records = _records.decode(b"[" + b",".join(batch.lines) + b"]")
            if len(records) != len(batch.lines):
                raise ValueError("a line doesn't hold one record")
            keys = self._keys_of(records)
            "".join(chain.from_iterable(keys))  # fails unless all are text
            items = _encoder.encode_lines([to_wire(record) for record in records]).split(b"\n")
            return dict(zip(keys, items))  # noqa: B905 - the last line has an end too
        except _MALFORMED as error:
            raise self._staging.malformed_records(key, batch, error) from error

    async def _make_room(self, size: int, keys: Collection[Key] = ()) -> None:
        """Settle batches until one more of this size fits, and none has one of its keys."""
        while self._pending and (
            len(self._pending) >= IN_FLIGHT
            or self._pending_bytes + size > self._most_bytes
            or not self._pending_keys.isdisjoint(keys)
        ):
            await self._settle()

    def _begin(self, pending: _Pending) -> None:
        self._pending.append(pending)
        self._pending_keys.update(pending.items)
        self._pending_bytes += pending.size

    async def _settle(self) -> None:
        """Wait for the oldest batch and count it, unless an earlier one couldn't be finished."""
        pending = self._pending[0]
        outcome = await pending.outcome
        self._pending.popleft()
        self._pending_keys.difference_update(pending.items)
        self._pending_bytes -= pending.size
        if self._stopped_at is not None:
            return
        if not outcome.finished:
            self._stopped_at = pending.before
            return
        self._work.count("loaded", outcome.loaded)
        self._work.count("superseded", len(pending.batch.lines) - len(pending.items))
        self._work.count("rejected_load", len(outcome.rejected))
        self._work.count("load_requests", outcome.requests)
        self._work.count("load_throttled", outcome.throttled)
        self._work.count("write_units", round(outcome.units))  # DynamoDB counts whole units of writes
        for key, reason in outcome.rejected.items():
            line = _staged_line(pending.batch, key, self._run)
            self._rejected.write([rejected_line(LOAD, self._run, self._work.segment, reason, line)])
        if self._rejected.full:
            self._rejected.close()

    async def _give_up(self) -> None:
        """Cancel the batches that are in flight, after a failure."""
        tasks = [pending.outcome for pending in self._pending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _staged_line(batch: Batch, key: Key, run: Run) -> bytes:
    """The last record with this key as it was staged, which is the one that was sent."""
    staged_key = plain_reader(run.schema.destination)
    return next(line for line in reversed(batch.lines) if staged_key(line) == key)


@cache
def _adapters() -> tuple[LoadSettings, Session, "DynamoDBClient", Staging, Ledger]:
    settings, session = LoadSettings.from_env(os.environ), get_session()
    client, staging = dynamodb_client(session), Staging(s3_client(), settings.staging_bucket)
    ledger = Ledger(client, settings.ledger_table)
    reached = reach(settings.destination, client, session)
    return settings, reached.session or session, reached.client, staging, ledger


def _load(event: Event, deadline: Deadline) -> Work:
    settings, session, client, staging, _ = _adapters()
    run, work = run_of(event), work_of(event)
    ceiling = settings.max_write_units_per_second
    # There are as many workers of Load as segments. They share the ceiling evenly.
    pacer = Pacer(ceiling / run.segments if ceiling else None)
    in_flight_bytes = IN_FLIGHT_BYTES
    if event.get("retry"):
        staging.empty_quarantine(LOAD, run, work)
        staging, in_flight_bytes = staging.for_retry(), IN_FLIGHT_BYTES // RETRY_SHARE

    async def load() -> Work:
        async with open_batch_writer(session, client) as writer:
            destination = DestinationTable(
                writer, settings.destination_table, pacer, deadline.remaining_ms, key=run.schema.destination
            )
            return await load_segment(run, work, destination, staging, deadline, in_flight_bytes)

    return asyncio.run(load())


def _finish(event: Event, _: Deadline) -> dict[str, Any]:
    run, gate = run_of(event), event["gate"]
    staging, ledger = _adapters()[-2:]
    report = finish(run, segments_of(event), staging, Decimal(gate["threshold_percent"]), gate)
    ledger.succeed(run, report["counts"], event["finished_at"])
    return report


def handler(event: Event, context: Context) -> Any:
    """Run ``etl-load``: the actions load and finish."""
    return run_action(event, context, {LOAD: _load, FINISH: _finish})
