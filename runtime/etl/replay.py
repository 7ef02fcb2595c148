"""Replay: the quarantined records of an earlier run go through Transform and Load again.

The records failed because of the transformation or of the data. So a replay takes up each record as its item is in the
source table now, found by its key. It takes up the record as it is in quarantine in two cases: the item is gone, or its
timestamp is now after the window, so a later run reads it. An item that had no valid time is taken up with any time,
since that may be in a window that has run already. Records that Load rejected are already transformed, and can't be
transformed twice. If their item is gone, they can't be replayed.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from decimal import Decimal
from functools import partial

import msgspec

from etl.invocation.deadline import Deadline
from etl.ledger import Ledger
from etl.model.errors import InputError, Reason, StagingError
from etl.model.instants import InstantError, format_instant, parse_instant
from etl.model.keys import Key, fits, plain_reader, wire_reader
from etl.model.run import Replayed, Run, Work
from etl.model.stages import BY_STATE, TRANSFORM
from etl.model.statuses import INVOCATION_LIMIT, LONGEST_RUN, RUNNING, SUCCEEDED
from etl.staging.batches import Batch
from etl.staging.bucket import Staging
from etl.staging.keys import manifest_key, quarantine_prefix, replayed_key
from etl.staging.quarantine import Quarantined
from etl.tables.ceiling import NO_CEILING, Pacer
from etl.tables.change_time import bounds_of, rule_of
from etl.tables.source import Page, SourceTable

_Read = Callable[[Collection[Key]], tuple[dict[Key, bytes], Decimal]]
_lines = msgspec.json.Decoder(list[Quarantined])


def plan_replay(
    replayed: str, started_at: datetime, staging: Staging, ledger: Ledger, workers: int
) -> tuple[Run, list[str]]:
    """Plan a replay: in the window of the other run, with a segment for each object of its quarantine.

    Args:
        replayed: id of the other run.
        started_at: the start of the replay.
        staging: the staging bucket.
        ledger: has the end of the other run.
        workers: the largest number of segments.

    Returns:
        A run that lacks its own id, time and execution, and the keys of the objects that it takes up.

    Raises:
        InputError: there is no such run, it or one of its workers may still be at work, or its quarantine is empty.
    """
    try:
        run = msgspec.convert(staging.manifest(manifest_key(replayed)), Run)
        latest_end = parse_instant(run.time) + LONGEST_RUN
    except (StagingError, InstantError, msgspec.ValidationError):
        raise InputError(
            f"replay: there is no run {replayed}, or its staged objects have expired after 30 days or were changed; "
            "run its window again, which takes up all of its items",
            Reason.RUN_EXPIRED,
        ) from None
    _check_ended(run, latest_end, started_at, ledger)
    objects = staging.sealed(quarantine_prefix(replayed))
    if not objects:
        raise InputError(
            f"replay: run {replayed} has no records in quarantine, so there is nothing to replay",
            Reason.NOTHING_QUARANTINED,
        )
    segments = min(len(objects), workers)
    return msgspec.structs.replace(run, segments=segments, replay=Replayed(run.id, run.execution)), objects


def _check_ended(run: Run, latest_end: datetime, started_at: datetime, ledger: Ledger) -> None:
    """Check that nothing more can write to the quarantine of a run."""
    end = ledger.end_of(run)
    if end and end.status == RUNNING and started_at <= latest_end:
        raise InputError(
            f"replay: run {run.id} is still running, or its end was not recorded; wait for its end, "
            f"or until {format_instant(latest_end)}",
            Reason.RUN_NOT_OVER,
        )
    # When a segment fails or the execution is stopped, other workers still have the time of their invocation.
    if end and end.finished_at and end.status != SUCCEEDED and _had_workers(end.stage):
        over = end.finished_at + INVOCATION_LIMIT
        if started_at < over:
            raise InputError(
                f"replay: run {run.id} has just ended; some workers may still run; wait until {format_instant(over)}",
                Reason.WORKERS_NOT_OVER,
            )


def _had_workers(state: str) -> bool:
    """Whether workers may have been at work when a run ended at this state; True for an unknown one."""
    return state not in BY_STATE or BY_STATE[state].is_map


def quarantined_pages(
    run: Run,
    work: Work,
    source: SourceTable,
    staging: Staging,
    deadline: Deadline,
    pacer: Pacer = NO_CEILING,
) -> Iterator[Page]:
    """A segment's share of the other run's quarantine, as pages of items. They use the cursor of staged records.

    Raises:
        StagingError: an object is missing or was changed.
        TransientError: DynamoDB was too busy.
    """
    keys: list[str] = msgspec.json.decode(staging.get(replayed_key(run.id)), type=list[str])
    read = partial(source.items, run.schema.source, pacer=pacer, deadline=deadline)
    batches = staging.batches_of(keys[work.segment :: run.segments], work.cursor)
    while True:
        try:
            taken = next(batches, None)
            page = _page(run, *taken, read, staging) if taken else Page((), 0, 0, None, Decimal(0))
        except StagingError as error:
            raise StagingError(str(error), Reason.QUARANTINE_LOST) from error
        yield page
        if taken is None or not deadline.allows_another():
            return


def _page(run: Run, position: dict[str, int], key: str, batch: Batch, read: _Read, staging: Staging) -> Page:
    try:
        records = _lines.decode(b"[" + b",".join(batch.lines) + b"]")
        ids = [_key(record, run) for record in records]
        possible = {each for each in ids if each and fits(run.schema.source, each)}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise staging.malformed_records(key, batch, error) from None
    found, units = read(possible)
    rule, window = rule_of(run.schema.time), bounds_of(run)
    usable = {each for each, item in found.items() if not rule.is_after(item, window)}
    items = [
        found[each] if each in usable or (record.untimed and each in found) else bytes(record.item)
        for record, each in zip(records, ids, strict=True)
        if each in usable or record.stage == TRANSFORM
    ]
    return Page(items, len(records), len(found), position, units, len(records) - len(items))


def _key(record: Quarantined, run: Run) -> Key:
    """The key of the item from which a quarantined record comes; empty if the record doesn't have it."""
    # Transform sets aside items of the source table in DynamoDB JSON. Later stages set aside records of plain JSON.
    if record.stage == TRANSFORM:
        return wire_reader(run.schema.source)(record.item)
    try:
        return plain_reader(run.schema.source)(record.item)
    except msgspec.ValidationError:  # transform() names it otherwise
        return ()
