"""Gate, between Transform and Load: the balance, the share of rejected records, the merged aggregates."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice
from sys import maxsize
from typing import Any, NamedTuple

import msgspec

from etl.model.balance import check_balance
from etl.model.counts import PASSED_ON, REJECTED, Counts, Share, rejected_share
from etl.model.errors import Reason, StagingError, TransformationError
from etl.model.rejection import RejectedError
from etl.model.run import Run, Work, totals
from etl.model.stages import BEFORE_GATE, GATE, read_by
from etl.rejection_checks import READERS, check_rejected, check_set_aside, quarantine_keys
from etl.staging.bucket import Staging
from etl.staging.keys import aggregates_key, part_key, partial_key
from etl.staging.quarantine import Quarantined
from etl.staging.writer import PartWriter
from etl.user.accumulator import Accumulator, accumulators, json_array
from etl.user.aggregates import Aggregate
from etl.values.attribute_values import Record
from etl.values.plain_json import encode, to_plain

_REJECTING = tuple(stage for stage in REJECTED if stage in BEFORE_GATE)
# The stage whose parts Gate completes with the aggregates to load.
_STAGED = read_by(GATE)
_MOST_REASONS = 3
_MOST_TALLIED = 100_000
_ROWS_TOGETHER = 1000

_quarantined = msgspec.json.Decoder(Quarantined)
_partials = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])


class Allowed(NamedTuple):
    """The shares of a run's items, in percent from 0 to 100, up to which it may load."""

    rejected: Decimal
    dropped: Decimal


def pass_gate(
    run: Run, segments: list[Work], staging: Staging, aggregates: list[Aggregate], allowed: Allowed
) -> dict[str, Any]:
    """Decide whether the run may load, and stage its aggregates.

    Returns:
        The state that Load starts from: ``run``, ``segments`` with the counts that later stages need, and ``gate``.
        ``gate`` has the S3 key of the ``aggregates``, ``threshold_percent`` and the totals of all other ``counts``.

    Raises:
        BalanceError: a stage lost or added records.
        QualityGateError: the share of rejected items is larger than allowed.
        TransformationError: the share of dropped items is larger than allowed.
    """
    counts = totals(segments)
    check_balance(run, counts, BEFORE_GATE)
    for stage in _REJECTING:
        check_set_aside(run, stage, counts, segments, staging)
    check_rejected(run, rejected_share(GATE, counts), allowed.rejected, lambda: _common_reasons(run, segments, staging))
    _check_dropped(run, counts, allowed.dropped)
    merged = _merged(run, segments, staging, aggregates)
    staging.put(aggregates_key(run), _document(run, merged))
    if not run.replay:  # a replay's aggregates lack most of the window, and would replace the complete ones
        _stage_loaded_aggregates(run, segments[0], staging, merged)
    gate = {
        "aggregates": aggregates_key(run),
        "threshold_percent": str(allowed.rejected),
        "counts": {name: count for name, count in totals(segments).items() if count and name not in PASSED_ON},
    }
    return {"run": run, "segments": [_passed_on(work) for work in segments], "gate": gate}


def _passed_on(work: Work) -> Work:
    """A segment with only the counts that later stages need, so that the state doesn't grow from stage to stage."""
    kept = Work(segment=work.segment)
    for name in PASSED_ON:
        kept.count(name, work.counted(name))
    return kept


def _check_dropped(run: Run, counts: Counts, most_percent: Decimal) -> None:
    """Check that ``transform()`` doesn't drop its records, as it does if its ``return`` is missing."""
    share = Share(counts["dropped"], counts["dropped"] + counts["transformed"])
    if not run.replay and share.exceeds(most_percent):
        raise TransformationError(
            f"run {run.id}: transform() returned nothing for {share.part:,} of {share.whole:,} items, "
            f"{share.percent} %, and {most_percent} % are allowed (DROP_THRESHOLD_PERCENT). Is its return missing? If "
            "it should drop so many, set drop_threshold_percent to 100 and deploy. Then run the window "
            f"{run.start} to {run.end} again",
            Reason.TOO_MANY_DROPPED,
        )


def _common_reasons(run: Run, segments: list[Work], staging: Staging) -> str:
    """The most common reasons of rejection, without a value or a name of any record."""
    tally: Counter[str] = Counter()
    looked_at = 0
    for key in (key for stage in _REJECTING for key in quarantine_keys(run, stage, segments)):
        for batch in staging.batches(key):
            try:
                records = [_quarantined.decode(line) for line in batch.lines]
            except msgspec.DecodeError as error:
                raise staging.malformed_records(key, batch, error) from None
            tally.update(record.summary for record in records if not record.untimed)
            looked_at += len(records)
            if tally and looked_at >= _MOST_TALLIED:
                return _listed(tally)
    return _listed(tally)


def _listed(tally: Counter[str]) -> str:
    common = "; ".join(f"{reason} ({count:,}×)" for reason, count in tally.most_common(_MOST_REASONS))
    return f". Most common: {common}"


def _merged(run: Run, segments: list[Work], staging: Staging, aggregates: list[Aggregate]) -> list[Accumulator]:
    merged = accumulators(aggregates)
    if merged:
        for key, body in _bodies(run, segments, staging):
            try:
                partial = _partials.decode(body)
                for accumulator in merged:
                    accumulator.merge(partial[accumulator.aggregate.name])
            except (msgspec.DecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise StagingError(
                    f"{key} doesn't hold the aggregates of transformation.py, which was changed during the run: "
                    f"start a new run of the window {run.start} to {run.end}",
                    Reason.AGGREGATES_CHANGED,
                ) from error
    return merged


def _document(run: Run, merged: list[Accumulator]) -> bytes:
    """The run's aggregates as JSON, made group by group: all at once would take several times their bytes."""
    head = encode({"run": run.id, "window": {"start": run.start, "end": run.end}})[:-1]
    return b"".join((head, b',"aggregates":', *json_array(map(_groups, merged)), b"}"))


def _groups(merged: Accumulator) -> bytes:
    head = encode({"name": merged.aggregate.name, "by": list(merged.aggregate.by)})[:-1]
    return b"".join((head, b',"groups":', *json_array(map(encode, merged.rows())), b"}"))


def _bodies(run: Run, segments: list[Work], staging: Staging) -> Iterator[tuple[str, bytes]]:
    """Each part's key and aggregates, in the order of the parts; the beginnings of a few are fetched at a time."""
    parts = ((work.segment, part) for work in segments for part in range(work.counted("transform_parts")))
    keys = (partial_key(run, segment, part) for segment, part in parts)
    with ThreadPoolExecutor(READERS) as readers:
        while some := list(islice(keys, READERS)):
            for key, whole in zip(some, readers.map(staging.begun, some), strict=True):
                yield key, whole()


def _stage_loaded_aggregates(run: Run, work: Work, staging: Staging, merged: list[Accumulator]) -> None:
    """Stage the aggregates with ``load=True`` as one more part of the first segment, so that they are loaded."""
    lines = (
        encode(aggregate_record(run, accumulator.aggregate, row))
        for accumulator in merged
        if accumulator.aggregate.load
        for row in accumulator.rows()
    )
    first, records = work.counted(f"{_STAGED}_parts"), 0

    def key_of(part: int) -> str:
        return part_key(_STAGED, run, work.segment, part)

    with PartWriter(staging.open, key_of, first, maxsize) as writer:
        while some := list(islice(lines, _ROWS_TOGETHER)):
            writer.write(some)
            records += len(some)
        writer.close()
    work.count(f"{_STAGED}_parts", writer.next_part - first)
    work.count("records", records)
    work.count("aggregate_records", records)


def aggregate_record(run: Run, aggregate: Aggregate, row: Record) -> dict[str, Any]:
    """A group of an aggregate as a record for the destination. Its key follows from the group and the window's end.

    Raises:
        TransformationError: a sum has more digits than a number of DynamoDB can have.
    """
    # As JSON, so that two groups never have the same key.
    group = encode([row[name] for name in aggregate.by]).decode()
    key = zip(run.schema.destination_names, (f"aggregate#{aggregate.name}#{group}", run.end), strict=False)
    try:
        return to_plain(row | dict(key))
    except RejectedError as error:
        problem = f"{error.field}: {error.rule}"  # without the value, since this message is logged
        raise TransformationError(f"aggregate {aggregate.name} can't be loaded: {problem}") from None
