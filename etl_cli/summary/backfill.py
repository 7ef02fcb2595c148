"""A backfill: its windows, those that the ledger says are done, and the executions that run the others."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import typer

from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.runs.failure import Failure, explain
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.runs.progress import Snapshot, Watch
from etl_cli.terminal.times import Span

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

MOST_WINDOWS = 10_000
_NAME = re.compile(r"(backfill-[0-9TZ]+-[0-9TZ]+)(?:-([0-9]+))?")


@dataclass(frozen=True)
class Planned:
    """A window of a backfill."""

    window: Span
    attempt: int = 1  # number of the running attempt, or else of the next one; from 1
    last: LedgerEntry | None = None  # entry of the successful attempt, or else of the last one; None before the first
    done: bool = False


@dataclass(frozen=True)
class Ended:
    """A window whose execution has ended; ``failure`` is None if it succeeded."""

    window: Span
    execution: str
    timeline: Timeline
    failure: Failure | None

    @property
    def counts(self) -> dict[str, int]:
        """Its counts; empty if it failed."""
        found: dict[str, int] = self.timeline.output.get("counts", {})
        return found


def split(span: Span, step: timedelta) -> list[Span]:
    """Split a span into windows of one length, the oldest first; the last one ends with the span.

    Raises:
        typer.BadParameter: there would be too many.
    """
    number = -(-(span.end - span.start) // step)
    if number > MOST_WINDOWS:
        raise typer.BadParameter(
            f"it makes {number:,} windows, and {MOST_WINDOWS:,} are allowed: give a longer one.", param_hint="--step"
        )
    starts = (span.start + step * position for position in range(number))
    return [Span(start, min(start + step, span.end)) for start in starts]


def attempt_name(window: Span, attempt: int) -> str:
    """The name of the execution that runs a window. It is always the same, so that nobody starts it twice."""
    start, end = (f"{instant:%Y%m%dT%H%M%SZ}" for instant in window)
    return f"backfill-{start}-{end}" + (f"-{attempt}" if attempt > 1 else "")


def plan(windows: Iterable[Span], entries: Iterable[LedgerEntry], done_since: datetime | None = None) -> list[Planned]:
    """Look up the windows of a backfill in the whole ledger, without runs that started before `done_since`."""
    attempts: dict[str, dict[int, LedgerEntry]] = defaultdict(dict)
    for entry in entries:
        if found := _NAME.fullmatch(entry.name):
            attempts[found[1]][int(found[2] or 1)] = entry
    return [_planned(window, attempts[attempt_name(window, 1)], done_since) for window in windows]


def _planned(window: Span, attempts: dict[int, LedgerEntry], done_since: datetime | None) -> Planned:
    if not attempts:
        return Planned(window)
    for number, entry in sorted(attempts.items(), reverse=True):
        if entry.status == SUCCEEDED and _is_recent(entry.started, done_since):
            return Planned(window, number, entry, done=True)
    number, last = max(attempts.items())
    return Planned(window, number if last.status == RUNNING else number + 1, last)


def _is_recent(started: datetime | None, done_since: datetime | None) -> bool:
    return done_since is None or (started is not None and started >= done_since)


class BackfillWork:
    """The windows of a backfill at work."""

    def __init__(
        self,
        deployment: Deployment,
        planned: Sequence[Planned],
        *,
        parallel: int = 1,
        keep_going: bool = False,
        done_since: datetime | None = None,
    ) -> None:
        """Prepare it, and start nothing; runs that started before `done_since` don't count."""
        self.planned = planned
        self.before = [each for each in planned if each.done]
        self._queue = deque(each for each in planned if not each.done)
        self.running: dict[Span, str] = {}
        self.ended: list[Ended] = []
        self._deployment = deployment
        self._parallel, self._keep_going, self._done_since = parallel, keep_going, done_since
        self._watches: dict[Span, Watch] = {}

    @property
    def endpoint(self) -> str:
        """The endpoint of Step Functions."""
        return self._deployment.stepfunctions.meta.endpoint_url

    @property
    def failed(self) -> list[Ended]:
        """The windows whose executions failed."""
        return [each for each in self.ended if each.failure]

    @property
    def done(self) -> int:
        """The number of windows that are done."""
        return len(self.before) + len(self.ended) - len(self.failed)

    @property
    def waiting(self) -> int:
        """The number of windows that haven't started."""
        return len(self.planned) - len(self.before) - len(self.ended) - len(self.running)

    @property
    def unfinished(self) -> bool:
        """Whether a window isn't done."""
        return self.done < len(self.planned)

    @property
    def stopping(self) -> bool:
        """Whether no further window is started."""
        return bool(self.failed) and not self._keep_going

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        return not self.running and (not self._queue or self.stopping)

    def advance(self) -> Iterator[tuple[Span, Snapshot]]:
        """Start windows where there is room, and look at each running execution. One that has ended is in `ended`."""
        while self._queue and len(self.running) < self._parallel and not self.stopping:
            window = self._queue[0].window
            execution = self.running[window] = self._start(self._queue[0])
            self._queue.popleft()
            self._watches[window] = Watch(self._deployment, execution, sole_writer=self._parallel == 1)
        for window, execution in list(self.running.items()):
            snapshot = self._watches[window].look()
            if snapshot.timeline.status != RUNNING:
                self._end(window, execution, snapshot.timeline)
            yield window, snapshot

    def _end(self, window: Span, execution: str, timeline: Timeline) -> None:
        failure = None if timeline.status == SUCCEEDED else explain(self._deployment, execution, timeline)
        self.ended.append(Ended(window, execution, timeline, failure))
        del self.running[window], self._watches[window]

    def _start(self, planned: Planned) -> str:
        """The execution that runs a window: a new one, or one that another process has started meanwhile.

        A name can be used once in 90 days. While its execution runs, starting it again may return that one. Source:
        Step Functions API Reference, StartExecution.
        """
        stepfunctions, attempt = self._deployment.stepfunctions, planned.attempt
        while True:
            name = attempt_name(planned.window, attempt)
            try:
                return self._deployment.start(name, planned.window.document())
            except stepfunctions.exceptions.ExecutionAlreadyExists:
                execution = self._deployment.execution(name)
                found = stepfunctions.describe_execution(executionArn=execution)
                succeeded = found["status"] == SUCCEEDED and _is_recent(found["startDate"], self._done_since)
                if succeeded or found["status"] == RUNNING:
                    return execution
                attempt += 1
