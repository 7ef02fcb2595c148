"""Replay: the quarantined records of an earlier run go through Transform and Load again.

What was wrong is the transformation or the data. So each record is taken up as its item is in the source table now,
found by its id, whatever its timestamp; if it is gone from there, as it lies in quarantine. What Load rejected lies
there transformed, which is not to be done twice: without an item in the source table it is left where it is.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from etl.deadline import Deadline
from etl.errors import InputError, StagingError
from etl.keys import manifest_key, quarantine_prefix
from etl.ledger import Ledger
from etl.run import Replayed, Run, Work
from etl.source import Page, SourceTable
from etl.staging import Batch, Staging

# Source: DynamoDB developer guide, "Constraints in Amazon DynamoDB", partition key.
_LONGEST_KEY_BYTES = 2048


class _Quarantined(msgspec.Struct):
    stage: str
    item: msgspec.Raw


class _Text(msgspec.Struct, frozen=True):
    text: str = msgspec.field(name="S", default="")


class _Item(msgspec.Struct):
    id: _Text = _Text()


class _Record(msgspec.Struct):
    id: str


_lines = msgspec.json.Decoder(list[_Quarantined])
_items = msgspec.json.Decoder(_Item)
_records = msgspec.json.Decoder(_Record)


def plan_replay(timestamp: str, staging: Staging, ledger: Ledger, concurrency: int) -> Run:
    """The run that runs the quarantine of another again: in its window, with a segment for each of its objects.

    Args:
        timestamp: the other run's.
        staging: the bucket that its quarantine lies in.
        ledger: tells whether it has ended.
        concurrency: most segments.

    Returns:
        A run without a timestamp, time and execution of its own.

    Raises:
        InputError: there is no such run, it is still running, or nothing of it is in quarantine.
    """
    try:
        run = msgspec.json.decode(staging.get_unsealed(manifest_key(timestamp)), type=Run)
    except StagingError:
        raise InputError(
            f"replay: there is no run {timestamp}, or what it staged has expired after 30 days; "
            "run its window again, which takes all of its items up"
        ) from None
    if ledger.status(run) == "RUNNING":
        raise InputError(f"replay: run {timestamp} is still running; wait for its end")
    objects = staging.sealed(quarantine_prefix(timestamp))
    if not objects:
        raise InputError(f"replay: nothing of run {timestamp} is in quarantine, so there is nothing to run again")
    return msgspec.structs.replace(
        run, segments=min(len(objects), concurrency), replay=Replayed(run.timestamp, run.execution)
    )


def quarantined_pages(
    run: Run, replayed: Replayed, work: Work, source: SourceTable, staging: Staging, deadline: Deadline
) -> Iterator[Page]:
    """A segment's share of the other run's quarantine, as pages of items; their cursor is that of staged records.

    Raises:
        StagingError: an object isn't the one that was written.
        TransientError: DynamoDB was too busy.
    """
    keys = staging.sealed(quarantine_prefix(replayed.run))[work.segment :: run.segments]
    for position, key, batch in staging.batches_of(keys, work.cursor):
        yield _page(key, batch, position, source, staging)
        if not deadline.allows_another():
            return
    yield Page((), 0, 0, None, Decimal(0))


def _page(key: str, batch: Batch, position: dict[str, int], source: SourceTable, staging: Staging) -> Page:
    try:
        records = _lines.decode(b"[" + b",".join(batch.lines) + b"]")
        ids = [_id(record) for record in records]
    except (msgspec.DecodeError, KeyError, RecursionError) as error:
        raise staging.malformed_records(key, batch, error) from None
    found, units = source.items({each for each in ids if 0 < len(each.encode()) <= _LONGEST_KEY_BYTES})
    items = [
        found[each] if each in found else bytes(record.item)
        for record, each in zip(records, ids, strict=True)
        if each in found or record.stage == "transform"
    ]
    return Page(items, len(records), len(found), position, units, len(records) - len(items))


def _id(record: _Quarantined) -> str:
    """The id of a quarantined item of DynamoDB JSON, or of a quarantined record of plain JSON."""
    if record.stage == "transform":
        return _items.decode(record.item).id.text
    return _records.decode(record.item).id
