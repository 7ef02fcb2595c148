"""Runs the windows of a backfill: so many at a time, each an execution of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from etl_cli.runs.failure import Failure, explain
from etl_cli.runs.history import Timeline
from etl_cli.runs.progress import Snapshot, Watch
from etl_cli.summary.backfill_windows import Planned, attempt_name, counts
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline


@dataclass(frozen=True)
class Ended:
    """A window whose execution has ended.

    Attributes:
        failure: why it failed; None if it succeeded.
    """

    window: Span
    execution: str
    timeline: Timeline
    failure: Failure | None

    @property
    def counts(self) -> dict[str, int]:
        """What it counted; empty if it failed."""
        found: dict[str, int] = self.timeline.output.get("counts", {})
        return found


class BackfillWork:
    """The windows of a backfill at work.

    Attributes:
        before: windows that were done already.
        running: the executions that run, by window.
        ended: windows that have ended, in this order.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        planned: Iterable[Planned],
        *,
        parallel: int = 1,
        keep_going: bool = False,
        done_since: datetime | None = None,
    ) -> None:
        """Prepare it; nothing is started.

        Args:
            pipeline: where to run them.
            planned: the windows in their order.
            parallel: how many may run at once.
            keep_going: whether further windows are started when one has failed.
            done_since: what was started earlier doesn't count as done.
        """
        planned = list(planned)
        self.before = [each for each in planned if each.done]
        self._pending = [each for each in planned if not each.done]
        self._queue = deque(self._pending)
        self.running: dict[Span, str] = {}
        self.ended: list[Ended] = []
        self._pipeline = pipeline
        self._parallel, self._keep_going, self._done_since = parallel, keep_going, done_since
        self._watches: dict[Span, Watch] = {}

    @property
    def endpoint(self) -> str:
        """Where it works."""
        return self._pipeline.stepfunctions.meta.endpoint_url

    @property
    def failed(self) -> list[Ended]:
        """The windows whose executions failed."""
        return [each for each in self.ended if each.failure]

    @property
    def left(self) -> list[Planned]:
        """The windows that are still to be started."""
        started = {*self.running, *(each.window for each in self.ended)}
        return [each for each in self._pending if each.window not in started]

    @property
    def unfinished(self) -> bool:
        """Whether a window isn't done."""
        return bool(self.left or self.running or self.failed)

    @property
    def stopping(self) -> bool:
        """Whether nothing more is started."""
        return bool(self.failed) and not self._keep_going

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        return not self.running and (not self._queue or self.stopping)

    def advance(self) -> Iterator[tuple[Span, Snapshot]]:
        """Start what may be started, and look at each execution that runs. It may have ended: see `ended`."""
        while self._queue and len(self.running) < self._parallel and not self.stopping:
            planned = self._queue.popleft()
            execution = self.running[planned.window] = self._start(planned)
            self._watches[planned.window] = Watch(self._pipeline, execution, alone=self._parallel == 1)
        for window, execution in list(self.running.items()):
            snapshot = self._watches[window].look()
            if snapshot.timeline.status != "RUNNING":
                self._end(window, execution, snapshot.timeline)
            yield window, snapshot

    def _end(self, window: Span, execution: str, timeline: Timeline) -> None:
        failure = None if timeline.status == "SUCCEEDED" else explain(self._pipeline, execution, timeline)
        self.ended.append(Ended(window, execution, timeline, failure))
        del self.running[window], self._watches[window]

    def _start(self, planned: Planned) -> str:
        """The execution that runs a window: a new one, or one that another process has started meanwhile.

        A name can be used once in 90 days; while its execution runs, starting it again may give the one that runs.
        Source: Step Functions API Reference, StartExecution.
        """
        stepfunctions, attempt = self._pipeline.stepfunctions, planned.attempt
        start, end = (format_instant(instant) for instant in planned.window)
        while True:
            name = attempt_name(planned.window, attempt)
            try:
                return self._pipeline.start(name, {"start": start, "end": end})
            except stepfunctions.exceptions.ExecutionAlreadyExists:
                execution = self._pipeline.execution(name)
                found = stepfunctions.describe_execution(executionArn=execution)
                succeeded = found["status"] == "SUCCEEDED" and counts(found["startDate"], self._done_since)
                if succeeded or found["status"] == "RUNNING":
                    return execution
                attempt += 1
