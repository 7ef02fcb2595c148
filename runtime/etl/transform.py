"""Transform: hold each staged item against the contract, transform it and stage what comes of it."""

import os
from functools import cache
from typing import Any

import msgspec

from etl import transformation
from etl.aggregates import Accumulator, Prepared
from etl.attribute_values import from_wire
from etl.aws import s3_client
from etl.deadline import Deadline
from etl.entry import Context, Event, run_action, run_of, segments_of, work_of
from etl.errors import RejectedError
from etl.gate import pass_gate
from etl.keys import part_key, partial_key, quarantine_key
from etl.plain_json import encode
from etl.quarantine import rejected_line
from etl.run import Run, Work
from etl.settings import TransformSettings
from etl.staged_writer import PartWriter
from etl.staging import Batch, Staging
from etl.user_code import Transformation

STAGE = "transform"


def transform_segment(
    run: Run, work: Work, user: Transformation, staging: Staging, deadline: Deadline, part_bytes: int
) -> Work:
    """Transform a segment's staged items until they end or time runs low.

    A record whose timestamp isn't a time, that breaks the contract, or that ``transform()`` can't handle, goes to
    quarantine. The cursor is ``{"part": …, "offset": …}``: where in the staged items to go on; parts of the output
    are numbered on by the counts.
    """
    segment = work.segment
    with (
        PartWriter(
            staging.open, lambda part: part_key(STAGE, run, segment, part), work.counted("transform_parts"), part_bytes
        ) as kept,
        PartWriter(
            staging.open,
            lambda part: quarantine_key(STAGE, run, segment, part),
            work.counted("transform_quarantine_parts"),
            part_bytes,
        ) as rejected,
    ):
        worker = _Worker(run, work, user, staging, kept, rejected)
        cursor = worker.until(deadline)
    return Work(segment=segment, cursor=cursor, counts=work.counts)


class _Worker:
    """One invocation's work on one segment."""

    def __init__(
        self, run: Run, work: Work, user: Transformation, staging: Staging, kept: PartWriter, rejected: PartWriter
    ) -> None:
        self._run = run
        self._work = work
        self._user = user
        self._staging = staging
        self._kept = kept
        self._rejected = rejected
        self._accumulators = [Accumulator(aggregate) for aggregate in user.aggregates]

    def until(self, deadline: Deadline) -> dict[str, int] | None:
        """Work until the segment or the time ends; the cursor to go on from, None at the segment's end."""
        cursor: dict[str, int] | None = None
        for position, key, batch in self._staging.segment_batches("extract", self._run, self._work):
            self._take(key, batch)
            if not deadline.allows_another():
                cursor = position
                break
        if cursor is None and self._kept.next_part == 0:
            self._kept.write(())  # a segment without records has an empty part
        self._close()
        return cursor

    def _take(self, key: str, batch: Batch) -> None:
        try:
            records = from_wire(b"[" + b",".join(batch.lines) + b"]")
            if len(records) != len(batch.lines):
                raise ValueError("a line doesn't hold one record")
        except (msgspec.DecodeError, ValueError) as error:
            raise self._staging.malformed_records(key, batch, error) from error
        good: list[tuple[bytes, list[Prepared]]] = []
        bad, transformed = [], 0
        readers = [accumulator.prepare for accumulator in self._accumulators]
        for line, record, breach in zip(batch.lines, records, self._user.check(records), strict=True):
            try:
                if breach:
                    raise breach
                results = self._user.apply(record, self._run, readers)
            except RejectedError as reason:
                bad.append(rejected_line(STAGE, self._run, self._work.segment, reason, line))
            else:
                good += results
                transformed += bool(results)
        self._work.count("transformed", transformed)
        self._work.count("dropped", len(records) - len(bad) - transformed)
        self._work.count("records", len(good))
        self._work.count("rejected_transform", len(bad))
        if good:
            # Nothing is added up before all that a record becomes is known to be good.
            lines, prepared = zip(*good, strict=True)
            for accumulator, added in zip(self._accumulators, zip(*prepared, strict=True), strict=True):
                accumulator.add(added)
            self._kept.write(lines)
        if bad:
            self._rejected.write(bad)
        if self._kept.full or self._rejected.full:
            self._close()

    def _close(self) -> None:
        """Close the open parts; with each part of records goes the part of the aggregates that it makes up."""
        part, size = self._kept.next_part, self._kept.size
        if self._kept.close():
            if self._accumulators:
                partial = {each.aggregate.name: each.dump() for each in self._accumulators}
                self._staging.put(partial_key(self._run, self._work.segment, part), encode(partial))
                self._accumulators = [Accumulator(each.aggregate) for each in self._accumulators]
            self._work.count("transform_parts")
            self._work.count("transform_bytes", self._kept.size - size)
        if self._rejected.close():
            self._work.count("transform_quarantine_parts")


@cache
def _adapters() -> tuple[TransformSettings, Transformation, Staging]:
    settings = TransformSettings.from_env(os.environ)
    return settings, Transformation(transformation), Staging(s3_client(), settings.staging_bucket)


def _transform(event: Event, deadline: Deadline) -> Work:
    settings, user, staging = _adapters()
    return transform_segment(run_of(event), work_of(event), user, staging, deadline, settings.part_bytes)


def _gate(event: Event, _: Deadline) -> dict[str, Any]:
    settings, user, staging = _adapters()
    return pass_gate(run_of(event), segments_of(event), staging, user.aggregates, settings.reject_threshold_percent)


def handler(event: Event, context: Context) -> Any:
    """Entry of ``etl-transform``: the actions transform and gate."""
    return run_action(event, context, {"transform": _transform, "gate": _gate})
