"""The state of the workflow: the run, and the work on each segment."""

from datetime import datetime
from typing import Any

import msgspec

from etl.model.counts import COUNTS, POSITIONS, by_name
from etl.model.schema import SPECIFIED, Schema


class Replayed(msgspec.Struct, frozen=True):
    """The run whose quarantine a replay takes up.

    Attributes:
        run: its id.
        execution: ARN of its execution.
    """

    run: str
    execution: str


def run_id(started_at: datetime) -> str:
    """The id of a run that starts at an instant in UTC, to the millisecond: ``20261123T020000123Z``."""
    return f"{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03d}Z"


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution of the pipeline, fixed by Plan and the same for every worker and every retry.

    Attributes:
        id: the start of the execution: see ``run_id``; ``timestamp`` in JSON.
        start: first instant of the window, a whole second in UTC: ``2026-11-22T01:45:00Z``.
        end: first instant after the window, in the same form.
        time: the start of the execution: the only "now" that a stage knows.
        execution: ARN of the execution.
        segments: number of segments in which the source table, or the quarantine, is read.
        code: version of the code that planned the run; empty if unknown.
        schema: the attributes of the tables that the pipeline itself uses.
        replay: the run whose quarantine this run takes up, in that run's window; None for a run of a window.
    """

    id: str = msgspec.field(name="timestamp")
    start: str
    end: str
    time: str
    execution: str
    segments: int
    code: str = ""
    schema: Schema = SPECIFIED
    replay: Replayed | None = None


class Work(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The work on one segment: the input of a worker, and its result.

    The state of an execution holds one for each segment, and may have at most 256 KiB. So defaults are omitted, and
    counts have positions instead of names.

    Attributes:
        segment: number of the segment, from 0.
        cursor: the place where the next invocation continues; None at the start and at the end of a stage. A Choice
            state loops while there is a cursor.
        counts: totals over all stages and invocations so far, in the order of ``COUNTS``, without trailing zeros.
    """

    segment: int
    cursor: dict[str, Any] | None = None
    counts: list[int] = []

    @property
    def done(self) -> bool:
        """Whether the stage has finished the segment."""
        return self.cursor is None

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to a count."""
        position = POSITIONS[name]
        if amount:
            self.counts += [0] * (position + 1 - len(self.counts))
            self.counts[position] += amount

    def counted(self, name: str) -> int:
        """A count; 0 if nothing was counted."""
        position = POSITIONS[name]
        return self.counts[position] if position < len(self.counts) else 0

    def by_name(self) -> dict[str, int]:
        """The counts that aren't 0, by name."""
        return by_name(self.counts)


def total(segments: list[Work], name: str) -> int:
    """A count, added up over segments."""
    return sum(work.counted(name) for work in segments)


def totals(segments: list[Work]) -> dict[str, int]:
    """All counts by name, added up over segments."""
    return {name: total(segments, name) for name in COUNTS}
