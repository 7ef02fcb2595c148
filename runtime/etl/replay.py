"""Replay: the quarantined records of an earlier run go through Transform and Load again.

What was wrong is the transformation or the data. So each record is taken up as its item is in the source table now,
found by its id. If it is gone from there, or its timestamp lies behind the window by now, so that it is a later run's,
the record is taken up as it lies in quarantine. An item that had no time is taken whatever time it has by now: that may
lie in a window that has run, which no later run reads. What Load rejected lies there transformed, which is not to be
done twice: without an item to make it of anew it is left where it is.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import msgspec

from etl.invocation.deadline import Deadline
from etl.ledger import Ledger
from etl.model.errors import InputError, StagingError
from etl.model.run import Replayed, Run, Work
from etl.model.schema import SOURCE_KEY, TIME, reader
from etl.model.statuses import INVOCATION_LIMIT, LONGEST_RUN
from etl.model.windows import format_instant, parse_instant
from etl.staging.batches import Batch
from etl.staging.bucket import Staging
from etl.staging.keys import manifest_key, quarantine_prefix, replayed_key
from etl.tables.source import Page, SourceTable

# Source: DynamoDB developer guide, "Constraints in Amazon DynamoDB", partition key.
_LONGEST_KEY_BYTES = 2048
# The stages without workers: at any other, or an unknown one, workers may still write into quarantine, for as long as
# the time-out of their functions.
_ALONE = ("Plan", "Gate", "Finish")


class _Quarantined(msgspec.Struct):
    stage: str
    item: msgspec.Raw
    untimed: bool = False


_lines = msgspec.json.Decoder(list[_Quarantined])
_id_of_item, _id_of_record = reader(SOURCE_KEY, wire=True), reader(SOURCE_KEY, wire=False)
_time_of_item = reader(TIME, wire=True)


def plan_replay(
    timestamp: str, started_at: datetime, staging: Staging, ledger: Ledger, concurrency: int
) -> tuple[Run, list[str]]:
    """The run that runs the quarantine of another again: in its window, with a segment for each of its objects.

    Args:
        timestamp: the other run's.
        started_at: when the replay started.
        staging: the bucket that its quarantine lies in.
        ledger: tells whether it has ended.
        concurrency: most segments.

    Returns:
        A run without a timestamp, time and execution of its own, and the keys of the objects that it takes up.

    Raises:
        InputError: there is no such run, it or one of its workers may still be at work, or nothing of it is in
            quarantine.
    """
    try:
        run = msgspec.json.decode(staging.get_unsealed(manifest_key(timestamp)), type=Run)
    except StagingError:
        raise InputError(
            f"replay: there is no run {timestamp}, or what it staged has expired after 30 days; "
            "run its window again, which takes all of its items up"
        ) from None
    _check_ended(run, started_at, ledger)
    objects = staging.sealed(quarantine_prefix(timestamp))
    if not objects:
        raise InputError(f"replay: nothing of run {timestamp} is in quarantine, so there is nothing to run again")
    replayed = Replayed(run.id, run.execution)
    return msgspec.structs.replace(run, segments=min(len(objects), concurrency), replay=replayed), objects


def _check_ended(run: Run, started_at: datetime, ledger: Ledger) -> None:
    """Check that nothing more of a run comes into quarantine."""
    ending = ledger.ending(run)
    if ending and ending.status == "RUNNING":
        over = parse_instant("time", run.time) + LONGEST_RUN
        if started_at <= over:
            raise InputError(
                f"replay: run {run.id} is still running, or its end was not recorded; wait for its end, "
                f"or until {format_instant(over)}"
            )
    # When a segment fails, or the execution is stopped, other workers still have the time of their invocation.
    if ending and ending.finished_at and ending.status != "SUCCEEDED" and ending.stage not in _ALONE:
        over = parse_instant("finished_at", ending.finished_at) + INVOCATION_LIMIT
        if started_at < over:
            raise InputError(
                f"replay: workers of run {run.id}, which has just ended, may still be at work; "
                f"wait until {format_instant(over)}"
            )


def quarantined_pages(
    run: Run, work: Work, source: SourceTable, staging: Staging, deadline: Deadline
) -> Iterator[Page]:
    """A segment's share of the other run's quarantine, as pages of items; their cursor is that of staged records.

    Raises:
        StagingError: an object isn't the one that was written.
        TransientError: DynamoDB was too busy.
    """
    keys: list[str] = msgspec.json.decode(staging.get(replayed_key(run.id)), type=list[str])
    for position, key, batch in staging.batches_of(keys[work.segment :: run.segments], work.cursor):
        yield _page(run, key, batch, position, source, staging)
        if not deadline.allows_another():
            return
    yield Page((), 0, 0, None, Decimal(0))


def _page(run: Run, key: str, batch: Batch, position: dict[str, int], source: SourceTable, staging: Staging) -> Page:
    try:
        records = _lines.decode(b"[" + b",".join(batch.lines) + b"]")
        ids = [_id(record) for record in records]
        possible = {each for each in ids if 0 < len(each.encode()) <= _LONGEST_KEY_BYTES}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise staging.malformed_records(key, batch, error) from None
    found, units = source.items(possible)
    # As the filter of a window compares: see etl/timestamps.py.
    end = run.end.removesuffix("Z")
    usable = {each for each, item in found.items() if _time_of_item(item)[0] < end}
    items = [
        found[each] if each in usable or (record.untimed and each in found) else bytes(record.item)
        for record, each in zip(records, ids, strict=True)
        if each in usable or record.stage == "transform"
    ]
    return Page(items, len(records), len(found), position, units, len(records) - len(items))


def _id(record: _Quarantined) -> str:
    """The id of a quarantined item of DynamoDB JSON, or of a quarantined record of plain JSON."""
    (found,) = (_id_of_item if record.stage == "transform" else _id_of_record)(record.item)
    return found
