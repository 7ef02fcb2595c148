"""What travels between the states of the workflow: the run and the work of a segment."""

from typing import Any

import msgspec

from etl.model.counts import COUNTS, POSITIONS, by_name


class Replayed(msgspec.Struct, frozen=True):
    """The run whose quarantine a replay runs again.

    Attributes:
        run: its id.
        execution: ARN of its execution.
    """

    run: str
    execution: str


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution of the pipeline, fixed by Plan and the same for every worker and every retry.

    Attributes:
        id: the start of the execution in compact UTC, ``20261123T020000123Z``; ``timestamp`` in JSON.
        start: first instant of the window, a whole second in UTC: ``2026-11-22T01:45:00Z``.
        end: first instant after the window, in the same form.
        time: when the execution started: the only "now" that a stage knows.
        execution: ARN of the execution.
        segments: number of segments that the source table, or the quarantine, is read in.
        code: version of the code that planned the run; empty if it wasn't told.
        replay: the run whose quarantine is run again, in that run's window; None for a run of a window.
    """

    id: str = msgspec.field(name="timestamp")
    start: str
    end: str
    time: str
    execution: str
    segments: int
    code: str = ""
    replay: Replayed | None = None


class Work(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One segment's way through a stage; what a worker gets, and what it returns.

    The state of an execution holds one for each segment, and may have 256 KiB in all: what is at its default isn't
    written down, and counts have no names there.

    Attributes:
        segment: number of the segment, from 0.
        cursor: where the next invocation goes on; None at the start and at the end of a stage. A Choice state
            loops while there is one.
        counts: totals over all stages and invocations so far, in the order of ``COUNTS`` and cut off after the last
            that isn't 0.
    """

    segment: int
    cursor: dict[str, Any] | None = None
    counts: list[int] = []

    @property
    def done(self) -> bool:
        """Whether the stage that returns this has finished the segment."""
        return self.cursor is None

    def count(self, name: str, amount: int = 1) -> None:
        """Add ``amount`` to the count ``name``, one of ``COUNTS``."""
        position = POSITIONS[name]
        if amount:
            self.counts += [0] * (position + 1 - len(self.counts))
            self.counts[position] += amount

    def counted(self, name: str) -> int:
        """The count ``name``, 0 when nothing was counted."""
        position = POSITIONS[name]
        return self.counts[position] if position < len(self.counts) else 0

    def by_name(self) -> dict[str, int]:
        """The counts that aren't 0, by name."""
        return by_name(self.counts)


def total(segments: list[Work], name: str) -> int:
    """The count ``name`` summed over ``segments``."""
    return sum(work.counted(name) for work in segments)


def totals(segments: list[Work]) -> dict[str, int]:
    """Every count by name, summed over ``segments``."""
    return {name: total(segments, name) for name in COUNTS}
