"""What travels between the states of the workflow: the run and the work of a segment."""

from typing import Any

import msgspec


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of the pipeline, fixed by Plan and the same for every worker and every retry.

    Attributes:
        timestamp: the run's name, its start in compact UTC: ``20261123T020000123Z``.
        start: first instant of the window, a whole second in UTC: ``2026-11-22T01:45:00Z``.
        end: first instant after the window, in the same form.
        time: when the execution started: the only "now" that a stage knows.
        execution: ARN of the execution.
        segments: number of segments that the source table is read in.
    """

    timestamp: str
    start: str
    end: str
    time: str
    execution: str
    segments: int


class Work(msgspec.Struct, kw_only=True):
    """One segment's way through a stage; what a worker gets, and what it returns.

    Attributes:
        segment: number of the segment, from 0.
        done: whether the stage has finished this segment. A Choice state loops while it hasn't.
        cursor: where the next invocation goes on; None at the start and at the end of a stage.
        key: S3 key of the first object that the stage wrote or read for this segment.
        counts: totals by name, over all stages and invocations so far.
    """

    segment: int
    done: bool = False
    cursor: dict[str, Any] | None = None
    key: str = ""
    counts: dict[str, int] = {}

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to the count ``name``; a count that stays 0 isn't written down."""
        if amount:
            self.counts[name] = self.counts.get(name, 0) + amount

    def counted(self, name: str) -> int:
        """The count ``name``, 0 when nothing was counted."""
        return self.counts.get(name, 0)


def total(segments: list[Work], name: str) -> int:
    """The count ``name`` summed over ``segments``."""
    return sum(work.counted(name) for work in segments)
