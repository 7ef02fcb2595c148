"""Load: write the transformed records to the destination table; then finish, which proves the balance."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import msgspec

from etl.attribute_values import Number, to_wire
from etl.aws import dynamodb_client, s3_client
from etl.balance import check_loaded
from etl.deadline import Deadline
from etl.destination import DestinationTable, Key, Outcome, Pacer
from etl.entry import Context, Event, run_action, run_of, segments_of, work_of
from etl.errors import TransientError
from etl.gate import check_rejected_share
from etl.keys import part_key, quarantine_key
from etl.quarantine import rejected_line
from etl.run import Run, Work, totals
from etl.settings import LoadSettings
from etl.staged_writer import PartWriter
from etl.staging import BEGINNING, Batch, Staging

STAGE = "load"
IN_FLIGHT = 8
# What Load rejects is rare, and each of it is at most 400 KB: parts of quarantine are small.
_QUARANTINE_BYTES = 16 * 1024 * 1024
_records = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Number)


class _Pending(NamedTuple):
    """A batch on its way: the cursors before and behind it, its records by key, as staged, and its outcome."""

    before: dict[str, int]
    behind: dict[str, int]
    lines: dict[Key, bytes]
    superseded: int
    outcome: "Future[Outcome]"


def load_segment(run: Run, work: Work, destination: DestinationTable, staging: Staging, deadline: Deadline) -> Work:
    """Write a segment's records until they end or time runs low.

    Batches are in flight side by side, but never two with the same key, so that the last record of a key wins.
    Counted is what lies before the cursor, ``{"part": …, "offset": …}``: what was written behind it is written
    again, which changes nothing.

    Raises:
        TransientError: nothing at all could be written in this invocation's time.
    """
    first = work.counted("load_quarantine_parts")
    with PartWriter(
        staging.open, lambda part: quarantine_key(STAGE, run, work.segment, part), first, _QUARANTINE_BYTES
    ) as rejected:
        loader = _Loader(run, work, destination, staging, rejected)
        cursor = loader.until(deadline)
        rejected.close()
    if cursor is not None and cursor == (work.cursor or BEGINNING):
        raise TransientError(
            f"run {run.timestamp}, segment {work.segment}: the destination table took nothing for a whole invocation; "
            "its capacity is used up: look at its throttling metrics, or lower the ceiling on write units"
        )
    work.count("load_quarantine_parts", rejected.next_part - first)
    return Work(segment=work.segment, cursor=cursor, counts=work.counts)


class _Loader:
    """One invocation's work on one segment."""

    def __init__(
        self, run: Run, work: Work, destination: DestinationTable, staging: Staging, rejected: PartWriter
    ) -> None:
        self._run = run
        self._work = work
        self._destination = destination
        self._staging = staging
        self._rejected = rejected
        self._pending: deque[_Pending] = deque()
        self._stopped_at: dict[str, int] | None = None

    def until(self, deadline: Deadline) -> dict[str, int] | None:
        """Work until the segment or the time ends; the cursor to go on from, None at the segment's end."""
        before = self._work.cursor or BEGINNING
        out_of_time = False
        with _pool() as pool:
            for behind, key, batch in self._staging.segment_batches("transform", self._run, self._work):
                items, lines = self._marshalled(key, batch)
                self._make_room(lines)
                if self._stopped_at is not None or out_of_time:
                    break
                future = pool.submit(self._destination.write, items)
                self._pending.append(_Pending(before, behind, lines, len(batch.lines) - len(lines), future))
                before = behind
                out_of_time = not deadline.allows_another()
            else:
                out_of_time = False
            while self._pending:
                self._settle()
        if self._stopped_at is not None:
            return self._stopped_at
        return before if out_of_time else None

    def _marshalled(self, key: str, batch: Batch) -> tuple[dict[Key, bytes], dict[Key, bytes]]:
        """A batch as items of DynamoDB JSON and as staged lines, both by key: of two with one key, the last."""
        items: dict[Key, bytes] = {}
        lines: dict[Key, bytes] = {}
        try:
            records = _records.decode(b"[" + b",".join(batch.lines) + b"]")
            for record, line in zip(records, batch.lines, strict=True):
                identity = (record["id"], record["timestamp"])
                items[identity] = msgspec.json.encode(to_wire(record))
                lines[identity] = line
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise self._staging.malformed_records(key, batch, error) from error
        return items, lines

    def _make_room(self, lines: dict[Key, bytes]) -> None:
        """Settle batches until there is room for one more, and none with one of its keys."""
        while self._pending and (
            len(self._pending) >= IN_FLIGHT
            or any(not pending.lines.keys().isdisjoint(lines) for pending in self._pending)
        ):
            self._settle()

    def _settle(self) -> None:
        """Wait for the oldest batch and count it, unless one before it has stopped."""
        pending = self._pending.popleft()
        outcome = pending.outcome.result()
        if self._stopped_at is not None:
            return
        if not outcome.finished:
            self._stopped_at = pending.before
            return
        self._work.count("loaded", outcome.loaded)
        self._work.count("superseded", pending.superseded)
        self._work.count("rejected_load", len(outcome.rejected))
        self._work.count("load_requests", outcome.requests)
        self._work.count("load_throttled", outcome.throttled)
        for key, reason in outcome.rejected.items():
            self._rejected.write([rejected_line(STAGE, self._run, self._work.segment, reason, pending.lines[key])])
        if self._rejected.full:
            self._rejected.close()


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for the batches in flight; a failure doesn't wait for those that have not begun."""
    pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="load")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def finish(run: Run, segments: list[Work], threshold_percent: Decimal, gate: dict[str, Any]) -> dict[str, Any]:
    """Prove that the run adds up; what it returns is the execution's output, the run's report.

    Args:
        run: the run.
        segments: what Load counted, by segment.
        threshold_percent: the share of rejected records that is allowed, from 0 to 100.
        gate: what Gate passed on: the key of the aggregates, and the totals of the stages before.

    Raises:
        BalanceError: a record that Transform wrote is unaccounted for.
        QualityGateError: the destination table refused more than the threshold.
    """
    counts = {name: count + gate["counts"].get(name, 0) for name, count in totals(segments).items()}
    check_loaded(run, counts)
    check_rejected_share(run, counts["rejected_load"], counts["records"], threshold_percent)
    return {
        "status": "success",
        "run": run.timestamp,
        "window": {"start": run.start, "end": run.end},
        "segments": len(segments),
        "keys": {
            "extract": part_key("extract", run, 0, 0),
            "transform": part_key("transform", run, 0, 0),
            "aggregates": gate["aggregates"],
        },
        "counts": {name: count for name, count in sorted(counts.items()) if count or name in REPORTED},
    }


# Always in the report, be they 0.
REPORTED = (
    "scanned",
    "read",
    "extracted",
    "transformed",
    "dropped",
    "records",
    "loaded",
    "superseded",
    "rejected_extract",
    "rejected_transform",
    "rejected_load",
)


@cache
def _adapters() -> tuple[LoadSettings, Any, Staging]:
    settings = LoadSettings.from_env(os.environ)
    return settings, dynamodb_client(attempts=1), Staging(s3_client(), settings.staging_bucket)


def _load(event: Event, deadline: Deadline) -> Work:
    settings, dynamodb, staging = _adapters()
    run = run_of(event)
    ceiling = settings.max_write_units_per_second
    # Load runs as many workers as there are segments, and they share the ceiling evenly.
    pacer = Pacer(ceiling / run.segments if ceiling else None)
    destination = DestinationTable(dynamodb, settings.destination_table, pacer, deadline.remaining_ms)
    return load_segment(run, work_of(event), destination, staging, deadline)


def _finish(event: Event, _: Deadline) -> dict[str, Any]:
    gate = event["gate"]
    return finish(run_of(event), segments_of(event), Decimal(gate["threshold_percent"]), gate)


def handler(event: Event, context: Context) -> Any:
    """Entry of ``etl-load``: the actions load and finish."""
    return run_action(event, context, {"load": _load, "finish": _finish})
