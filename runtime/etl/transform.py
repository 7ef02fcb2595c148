"""Transform: check each staged item against the contract, transform it and stage the resulting records."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import msgspec

from etl.aws.clients import AsFarAsPossible, s3_client
from etl.gate import Allowed, pass_gate
from etl.handler import MEMORY_SIZE, Context, Event, run_action, run_of, segments_of, work_of
from etl.invocation.code_version import USER_CODE, ZIP
from etl.invocation.deadline import Deadline
from etl.model.errors import Reason, TransformationError
from etl.model.rejection import RejectedError, TooSlowError, UntimedError
from etl.model.run import Run, Work
from etl.model.schema import Schema
from etl.model.stages import GATE, TRANSFORM, read_by
from etl.settings import TransformSettings
from etl.staging.batches import Batch
from etl.staging.bucket import Staging
from etl.staging.keys import part_key, partial_key, quarantine_key
from etl.staging.quarantine import rejected_line
from etl.staging.writer import PartWriter
from etl.user.accumulator import Prepared, accumulators, partial
from etl.user.transformation import Transformation
from etl.user.transformer import TOGETHER_SECONDS, Included, InProcessTransformer, Transformer

# Your folder comes last, so that none of your files can replace another module.
sys.path.append(str(ZIP / USER_CODE))
import transformation

_STAGED = read_by(TRANSFORM)
# The code is at fault if stopped records, at most ten of them, took half of an invocation's time.
_FEW_SLOW = 10
_HALF_SECONDS = 150
# A child process is waited for longer than a record. The record that ended it, and those before it, are taken again.
_MORE_IN_A_CHILD = 10


def transform_segment(
    run: Run, work: Work, transformer: Transformer, staging: Staging, deadline: Deadline, part_bytes: int
) -> Work:
    """Transform a segment's staged items until they end or time runs low.

    A record goes to quarantine if its timestamp isn't a time, if it breaks the contract, or if ``transform()`` fails.
    The cursor, ``{"part": …, "offset": …}``, is the place in the staged items where the next invocation continues. The
    counts say where the numbers of output parts continue.

    Raises:
        TransformationError: ``transform()`` had to be stopped for many records.
    """
    segment = work.segment
    with (
        PartWriter(
            staging.open,
            lambda part: part_key(TRANSFORM, run, segment, part),
            work.counted("transform_parts"),
            part_bytes,
        ) as kept,
        PartWriter(
            staging.open,
            lambda part: quarantine_key(TRANSFORM, run, segment, part),
            work.counted("transform_quarantine_parts"),
            part_bytes,
        ) as rejected,
    ):
        worker = _Worker(run, work, transformer, staging, kept, rejected)
        cursor = worker.until(deadline)
    return Work(segment=segment, cursor=cursor, counts=work.counts)


class _Worker:
    """One invocation's work on one segment."""

    def __init__(
        self, run: Run, work: Work, transformer: Transformer, staging: Staging, kept: PartWriter, rejected: PartWriter
    ) -> None:
        self._run = run
        self._work = work
        self._transformer = transformer
        self._staging = staging
        self._kept = kept
        self._rejected = rejected
        self._accumulators = accumulators(transformer.aggregates)
        self._slow: list[TooSlowError] = []

    def until(self, deadline: Deadline) -> dict[str, int] | None:
        """Work until the segment or the time ends, or reading fails; returns the next cursor, None at the end."""
        cursor: dict[str, int] | None = None
        position: dict[str, int] | None = None
        began_ms = deadline.remaining_ms()
        batches = AsFarAsPossible(self._staging.segment_batches(_STAGED, self._run, self._work))
        for position, key, batch in batches:
            taken = 0
            while taken < len(batch.lines) and cursor is None:
                taken += self._take(key, batch, taken)
                self._check_slow(began_ms - deadline.remaining_ms())
                if not deadline.allows_another():
                    cursor = position | {"offset": batch.end_of(taken)}
            if cursor is not None:
                break
        if batches.cut:
            cursor = position
        if cursor is None and self._kept.next_part == 0:
            self._kept.write(())  # a segment without records has an empty part
        self._close()
        return cursor

    def _take(self, key: str, batch: Batch, first: int) -> int:
        """Take a batch's records from ``first`` on; returns their number, since a slow record ends the call."""
        most = max(1, TOGETHER_SECONDS // self._transformer.seconds)
        lines = batch.lines[first : first + most]
        try:
            made = self._transformer(lines)
        except (msgspec.DecodeError, ValueError) as error:
            raise self._staging.malformed_records(key, batch, error) from error
        good: list[tuple[bytes, list[Prepared]]] = []
        bad, transformed, included, untimed, left_out = [], 0, 0, 0, 0
        for line, results in zip(lines, made, strict=False):
            if isinstance(results, list):
                good += results
                transformed += bool(results)
                included += type(results) is Included
            elif isinstance(results, RejectedError):
                bad.append(rejected_line(TRANSFORM, self._run, self._work.segment, results, line))
                untimed += isinstance(results, UntimedError)
            else:
                self._work.count(results)
                left_out += 1
        if isinstance(made[-1], TooSlowError):
            self._slow.append(made[-1])
        self._work.count("transformed", transformed)
        self._work.count("dropped", len(made) - len(bad) - left_out - transformed)
        self._work.count("included", included)
        self._work.count("records", len(good))
        self._work.count("untimed", untimed)
        self._work.count("rejected_transform", len(bad) - untimed)
        if good:
            # Add up only after all results of a record are known to be good.
            kept, prepared = zip(*good, strict=True)
            for accumulator, added in zip(self._accumulators, zip(*prepared, strict=True), strict=True):
                accumulator.add(added)
            self._kept.write(kept)
        if bad:
            self._rejected.write(bad)
        if self._kept.full or self._rejected.full:
            self._close()
        return len(made)

    def _check_slow(self, elapsed_ms: int) -> None:
        """Check that slow records are rare. Otherwise waiting for them takes up the run's time."""
        if not self._slow:
            return
        seconds = self._transformer.seconds
        if len(self._slow) < max(2, min(_FEW_SLOW, _HALF_SECONDS // seconds)):
            return
        if 2000 * seconds * len(self._slow) > elapsed_ms:
            raise TransformationError(
                f"transform() was stopped for {len(self._slow)} records of one invocation, each after {seconds} s "
                f"(RECORD_SECONDS), the last one with {self._slow[-1].got}; "
                "correct transformation.py, or allow more time",
                Reason.TOO_SLOW,
            )

    def _close(self) -> None:
        """Close the open parts, and stage the aggregates of the closed part of records."""
        part, size = self._kept.next_part, self._kept.size
        if self._kept.close():
            if self._accumulators:
                self._staging.put(partial_key(self._run, self._work.segment, part), partial(self._accumulators))
                self._accumulators = accumulators(self._transformer.aggregates)
            self._work.count("transform_parts")
            self._work.count("transform_bytes", self._kept.size - size)
        if self._rejected.close():
            self._work.count("transform_quarantine_parts")


@contextmanager
def _transformer(run: Run, user: Transformation, seconds: int, *, isolated: bool) -> Iterator[Transformer]:
    """Open a transformer: in a child process if a worker may have died before."""
    in_process = InProcessTransformer(user, run, seconds)
    if not isolated:
        with in_process:
            yield in_process
        return
    from etl.user.isolation import IsolatedTransformer  # not at every cold start

    memory = os.environ.get(MEMORY_SIZE)
    with IsolatedTransformer(in_process, float(memory) if memory else None) as transformer:
        yield transformer


@cache
def _adapters() -> tuple[TransformSettings, Staging]:
    settings = TransformSettings.from_env(os.environ)
    return settings, Staging(s3_client(), settings.staging_bucket)


@cache
def _user(schema: Schema) -> Transformation:
    return Transformation(transformation, schema)


def _transform(event: Event, deadline: Deadline) -> Work:
    settings, staging = _adapters()
    run, work, seconds = run_of(event), work_of(event), settings.record_seconds
    # The workflow doesn't say why it retries. If Lambda had no room, no attempt has begun, so none can have died.
    began_before = not staging.begins(TRANSFORM, run, work)
    may_have_died = began_before and bool(event.get("retry"))
    if began_before:
        staging.empty_quarantine(TRANSFORM, run, work)
    deadline.reserve(2 * seconds + _MORE_IN_A_CHILD if may_have_died else seconds)
    if may_have_died:
        staging = staging.for_retry()
    with _transformer(run, _user(run.schema), seconds, isolated=may_have_died) as transformer:
        return transform_segment(run, work, transformer, staging, deadline, settings.part_bytes)


def _gate(event: Event, _: Deadline) -> dict[str, Any]:
    settings, staging = _adapters()
    run = run_of(event)
    allowed = Allowed(settings.reject_threshold, settings.drop_threshold)
    return pass_gate(run, segments_of(event), staging, _user(run.schema).aggregates, allowed)


def handler(event: Event, context: Context) -> Any:
    """Run ``etl-transform``: the actions transform and gate."""
    return run_action(event, context, {TRANSFORM: _transform, GATE: _gate})
