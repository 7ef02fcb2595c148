"""The gate between Transform and Load: the balance, the share of rejected items, the merged aggregates."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import islice
from sys import maxsize
from typing import Any, NamedTuple

import msgspec

from etl.model.balance import check_quarantine, check_transformed
from etl.model.counts import Counts, judged, set_aside
from etl.model.errors import QualityGateError, StagingError, TransformationError
from etl.model.rejection import RejectedError
from etl.model.run import Run, Work, total, totals
from etl.staging.bucket import Staging
from etl.staging.keys import aggregates_key, part_key, partial_key, quarantine_key
from etl.staging.writer import PartWriter
from etl.user.aggregates import Accumulator, Aggregate, accumulators, json_array
from etl.values.attribute_values import Record
from etl.values.plain_json import encode, to_plain

# Counts of each segment that come after Gate: Load reads these parts, and Finish looks at the quarantine once more.
_PASSED_ON = ("transform_parts", "transform_quarantine_parts")
_MOST_REASONS = 3
_MOST_TALLIED = 100_000
# A run may have thousands of parts, and looking at each takes two requests: the client has so many connections.
_READERS = 16
_partials = msgspec.json.Decoder(dict[str, list[msgspec.Raw]])
_ROWS_TOGETHER = 1000


class _Reason(msgspec.Struct):
    summary: str
    untimed: bool = False


_reasons = msgspec.json.Decoder(_Reason)


class Allowed(NamedTuple):
    """Shares of a run's items, in percent from 0 to 100, above which it may not load."""

    rejected: Decimal
    dropped: Decimal


def pass_gate(
    run: Run, segments: list[Work], staging: Staging, aggregates: list[Aggregate], allowed: Allowed
) -> dict[str, Any]:
    """Decide whether the run may load, and stage its aggregates.

    Returns:
        The state that Load starts from: ``run``, ``segments`` with what Load needs of their counts, and ``gate``,
        which holds the S3 key of the ``aggregates``, ``threshold_percent`` and the totals of all other ``counts``.

    Raises:
        BalanceError: Transform did not read what Extract wrote.
        QualityGateError: a larger share of the run's items than allowed was rejected.
        TransformationError: ``transform()`` returned nothing for a larger share of the others than allowed.
    """
    check_transformed(run, totals(segments))
    check_set_aside(run, "transform", totals(segments), segments, staging)
    _check_share(run, segments, staging, allowed.rejected)
    _check_dropped(run, segments, allowed.dropped)
    merged = _merged(run, segments, staging, aggregates)
    staging.put(aggregates_key(run), _document(run, merged))
    if not run.replay:  # theirs are of the replayed records alone, and would replace those of the whole window
        _stage_loaded_aggregates(run, segments[0], staging, merged)
    counts = {name: count for name, count in totals(segments).items() if count and name not in _PASSED_ON}
    gate = {"aggregates": aggregates_key(run), "threshold_percent": str(allowed.rejected), "counts": counts}
    return {"run": run, "segments": [_for_load(work) for work in segments], "gate": gate}


def _for_load(work: Work) -> Work:
    """A segment with the counts that are needed after Gate: the state doesn't grow from stage to stage."""
    kept = Work(segment=work.segment)
    for name in _PASSED_ON:
        kept.count(name, work.counted(name))
    return kept


def check_set_aside(run: Run, stage: str, counts: Counts, segments: list[Work], staging: Staging) -> None:
    """Check that quarantine holds all records that a stage set aside, unchanged.

    Args:
        run: the run.
        stage: transform or load.
        counts: the run's totals, by name.
        segments: tell how many objects of quarantine it wrote.
        staging: the bucket in which they lie.

    Raises:
        BalanceError: there is more or less.
        StagingError: an object of quarantine is missing or was changed.
    """
    with ThreadPoolExecutor(_READERS) as readers:
        quarantined = sum(readers.map(staging.records, _quarantine(run, stage, segments)))
    check_quarantine(run, stage, set_aside(counts, stage), quarantined)


def _quarantine(run: Run, stage: str, segments: list[Work]) -> Iterator[str]:
    for work in segments:
        for part in range(work.counted(f"{stage}_quarantine_parts")):
            yield quarantine_key(stage, run, work.segment, part)


def check_rejected_share(
    run: Run, rejected: int, read: int, threshold_percent: Decimal, reasons: Callable[[], str] = str
) -> None:
    """Check the share of rejected items. A replay may have any: of what failed once, what passes is loaded.

    Args:
        run: the run.
        rejected: items that were rejected.
        read: items of which they are a share.
        threshold_percent: the share that is allowed, from 0 to 100.
        reasons: gives a part of a sentence on why they were rejected; called only when the check fails.

    Raises:
        QualityGateError: it is above the threshold.
    """
    if not run.replay and rejected * 100 > threshold_percent * read:
        raise QualityGateError(
            f"run {run.id}: {rejected:,} of {read:,} items were rejected, {_percent(rejected, read)} %, and "
            f"{threshold_percent} % are allowed (REJECT_THRESHOLD_PERCENT){reasons()}; "
            f"look at quarantine/{run.id}/, correct the data or transformation.py, and run the window "
            f"{run.start} to {run.end} again"
        )


def _check_share(run: Run, segments: list[Work], staging: Staging, threshold_percent: Decimal) -> None:
    rejected = total(segments, "rejected_transform")

    def reasons() -> str:
        common = _common_reasons(run, segments, staging)
        return ". Most common: " + "; ".join(f"{count:,} times {reason}" for reason, count in common)

    check_rejected_share(run, rejected, judged(totals(segments)), threshold_percent, reasons)


def _check_dropped(run: Run, segments: list[Work], threshold_percent: Decimal) -> None:
    """Check that ``transform()`` doesn't drop what it gets, as one does that lacks its ``return``."""
    dropped = total(segments, "dropped")
    whole = dropped + total(segments, "transformed")
    if not run.replay and dropped * 100 > threshold_percent * whole:
        raise TransformationError(
            f"run {run.id}: transform() returned nothing for {dropped:,} of {whole:,} items, "
            f"{_percent(dropped, whole)} %, and {threshold_percent} % are allowed (DROP_THRESHOLD_PERCENT). Does it "
            "lack a return? If it is meant to drop so many, deploy with -c etl:drop_threshold_percent=100. Then run "
            f"the window {run.start} to {run.end} again"
        )


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1"))


def _common_reasons(run: Run, segments: list[Work], staging: Staging) -> list[tuple[str, int]]:
    """The commonest reasons of rejection, without a value or a name of any record."""
    tally: Counter[str] = Counter()
    looked_at = 0
    for key in _quarantine(run, "transform", segments):
        for batch in staging.batches(key):
            try:
                reasons = [_reasons.decode(line) for line in batch.lines]
            except msgspec.DecodeError as error:
                raise staging.malformed_records(key, batch, error) from None
            tally.update(reason.summary for reason in reasons if not reason.untimed)
            looked_at += len(reasons)
            if tally and looked_at >= _MOST_TALLIED:
                return tally.most_common(_MOST_REASONS)
    return tally.most_common(_MOST_REASONS)


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
                    f"start a new run of the window {run.start} to {run.end}"
                ) from error
    return merged


def _document(run: Run, merged: list[Accumulator]) -> bytes:
    """The run's aggregates as JSON, made group by group: together they would take several times their bytes."""
    head = encode({"run": run.id, "window": {"start": run.start, "end": run.end}})[:-1]
    return b"".join((head, b',"aggregates":', *json_array(map(_groups, merged)), b"}"))


def _groups(merged: Accumulator) -> bytes:
    head = encode({"name": merged.aggregate.name, "by": list(merged.aggregate.by)})[:-1]
    return b"".join((head, b',"groups":', *json_array(map(encode, merged.rows())), b"}"))


def _bodies(run: Run, segments: list[Work], staging: Staging) -> Iterator[tuple[str, bytes]]:
    """Each part's aggregates with their key, in the order of the parts; a few beginnings are fetched at a time."""
    parts = ((work.segment, part) for work in segments for part in range(work.counted("transform_parts")))
    keys = (partial_key(run, segment, part) for segment, part in parts)
    with ThreadPoolExecutor(_READERS) as readers:
        while some := list(islice(keys, _READERS)):
            for key, whole in zip(some, readers.map(staging.begun, some), strict=True):
                yield key, whole()


def _stage_loaded_aggregates(run: Run, work: Work, staging: Staging, merged: list[Accumulator]) -> None:
    """Aggregates that say so are loaded: as one more part of the first segment."""
    lines = (
        encode(aggregate_record(run, accumulator.aggregate, row))
        for accumulator in merged
        if accumulator.aggregate.load
        for row in accumulator.rows()
    )
    first, records = work.counted("transform_parts"), 0

    def key_of(part: int) -> str:
        return part_key("transform", run, work.segment, part)

    with PartWriter(staging.open, key_of, first, maxsize) as writer:
        while some := list(islice(lines, _ROWS_TOGETHER)):
            writer.write(some)
            records += len(some)
        writer.close()
    work.count("transform_parts", writer.next_part - first)
    work.count("records", records)
    work.count("aggregate_records", records)


def aggregate_record(run: Run, aggregate: Aggregate, row: Record) -> dict[str, Any]:
    """A group of an aggregate as a record for the destination, its key a function of window and group.

    Raises:
        TransformationError: a sum has more digits than DynamoDB's numbers.
    """
    # As JSON, so that no two groups have one key, whatever their values.
    group = encode([row[name] for name in aggregate.by]).decode()
    try:
        return to_plain(row | {"id": f"aggregate#{aggregate.name}#{group}", "timestamp": run.end})
    except RejectedError as error:
        problem = f"{error.field}: {error.rule}"  # without the value: what fails a run is logged
        raise TransformationError(f"aggregate {aggregate.name} can't be loaded: {problem}") from None
