"""An execution's history, read as the progress of the pipeline's stages."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from etl.model.counts import by_name
from etl.model.run import Run
from etl.model.stages import BY_STATE, FINISH, GATE, PLAN, STATES
from etl.model.statuses import ABORTED, FAILED, RUNNING, SUCCEEDED, TIMED_OUT
from etl_cli.runs.events import CALL_FAILED, CALL_SCHEDULED, CALL_SUCCEEDED, Event, details_of, is_throttled, output_of
from etl_cli.runs.workers import Workers

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

State = Literal["waiting", "running", "succeeded", "failed"]

_ENDINGS = {"ExecutionFailed": FAILED, "ExecutionAborted": ABORTED, "ExecutionTimedOut": TIMED_OUT}


@dataclass
class StageProgress:
    """The progress of one stage."""

    name: str
    state: State = "waiting"
    entered_at: datetime | None = None
    exited_at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)  # totals over segments and stages so far
    counted_at: datetime | None = None  # when the latest invocation returned counts; None before the first
    segments_done: int = 0
    invocations: int = 0  # number of invocations that succeeded
    failed_invocations: int = 0  # number of those that failed; each is retried, or ends the execution
    throttled_starts: int = 0  # starts that Lambda throttled; each is a transition, and no invocation
    busy_seconds: float = 0.0  # the duration of all invocations that have ended, added up
    called_at: deque[datetime] = field(default_factory=deque)  # invocations that run
    _work: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """Its duration; None unless it has ended."""
        return (self.exited_at - self.entered_at).total_seconds() if self.entered_at and self.exited_at else None

    def add_work(self, work: list[dict[str, Any]], at: datetime) -> None:
        """Add the results of workers; a later one replaces the earlier one of its segment."""
        self.counted_at = at
        self._work |= {each["segment"]: each for each in work}
        self.segments_done = sum("cursor" not in each for each in self._work.values())
        totals: Counter[str] = Counter()
        for each in self._work.values():
            totals.update(by_name(each.get("counts", ())))
        self.counts = dict(totals)

    def end(self, state: Literal["succeeded", "failed"], at: datetime) -> None:
        """Note that the stage has ended."""
        self.state, self.exited_at = state, at


@dataclass
class Timeline:
    """An execution as far as its history has been read."""

    status: str = RUNNING  # RUNNING, SUCCEEDED, FAILED, ABORTED or TIMED_OUT, as Step Functions names it
    started: datetime | None = None
    stopped: datetime | None = None
    run: Run | None = None
    error: str = ""
    cause: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    last_event: int = 0
    stages: dict[str, StageProgress] = field(default_factory=lambda: {name: StageProgress(name) for name in STATES})
    workers: Workers = field(default_factory=Workers)
    _current: str = ""

    @property
    def current(self) -> StageProgress | None:
        """The stage that the workflow entered last; None before the first."""
        return self.stages.get(self._current)

    @property
    def _working(self) -> StageProgress | None:
        """The stage that runs; None while later states record a failure."""
        return self.current if self.current and self.current.state == "running" else None

    @property
    def seconds(self) -> float | None:
        """The duration of the execution; None unless it has ended."""
        return (self.stopped - self.started).total_seconds() if self.started and self.stopped else None

    @property
    def counts(self) -> dict[str, int]:
        """The counts of all stages so far, by name."""
        return {name: number for stage in self.stages.values() for name, number in stage.counts.items()}

    @property
    def segments(self) -> int:
        """Number of the run's segments; 1 before Plan has fixed it."""
        return self.run.segments if self.run else 1

    def apply(self, event: Event) -> None:
        """Add the next event of the history. States within a Map, and states of no stage, change nothing."""
        kind, at = event["type"], event["timestamp"]
        self.last_event = event["id"]
        self.workers.apply(event)
        if kind == "ExecutionStarted":
            self.started = at
        elif kind == "ExecutionRedriven":
            self._reopen()
        elif kind == "FailStateEntered":
            self._fail(at)
        elif kind.endswith("StateEntered"):
            self._enter(event["stateEnteredEventDetails"]["name"], at)
        elif kind.endswith("StateExited"):
            self._exit(event["stateExitedEventDetails"], at)
        elif kind == "ExecutionSucceeded":
            self._end(SUCCEEDED, at)
            self.output = output_of(details_of(event))
        elif kind in _ENDINGS:
            details = details_of(event)
            self.error, self.cause = details.get("error") or self.error, details.get("cause") or self.cause
            self._end(_ENDINGS[kind], at)
        elif self._working:
            self._call(self._working, event)

    def close(self, description: Event) -> None:
        """Add the answer of DescribeExecution about an execution that has ended. It overrules the history."""
        self.status = description["status"]
        self.stopped = description.get("stopDate") or self.stopped
        self.error = description.get("error") or self.error
        self.cause = description.get("cause") or self.cause
        if self.status == SUCCEEDED:
            self.output = output_of(description) or self.output

    def _enter(self, name: str, at: datetime) -> None:
        if name in self.stages:
            self._current = name
            stage = self.stages[name]
            stage.state, stage.entered_at = "running", at

    def _exit(self, details: Event, at: datetime) -> None:
        stage = self.stages.get(details["name"])
        if stage is None:
            return
        output = output_of(details)
        failures = output.get("failure")  # Catch writes it, by the state's name
        failure = failures.get(stage.name) if isinstance(failures, dict) else None
        if isinstance(failure, dict):
            self.error, self.cause = failure.get("Error", ""), failure.get("Cause", "")
            stage.end("failed", at)
            return
        stage.end("succeeded", at)
        if "run" in output and not self.run:
            self.run = _run_of(output["run"])
        action = BY_STATE[stage.name].action
        if action == GATE:
            stage.counts = output.get(GATE, {}).get("counts", {})
        elif action != PLAN and isinstance(output.get("segments"), list):
            stage.add_work(output["segments"], at)
        elif action == FINISH:
            stage.counts = output.get("counts", {})

    def _call(self, stage: StageProgress, event: Event) -> None:
        """Add an event of an invocation to the stage that runs."""
        kind, at = event["type"], event["timestamp"]
        if kind in CALL_SCHEDULED:
            stage.called_at.append(at)
        elif kind in (*CALL_SUCCEEDED, *CALL_FAILED) and stage.called_at:
            # Any of them will do: only the sum of their durations counts.
            stage.busy_seconds += (at - stage.called_at.popleft()).total_seconds()
        if kind in CALL_SUCCEEDED:
            stage.invocations += 1
            work = output_of(details_of(event))
            if "segment" in work:
                stage.add_work([work], at)
        elif is_throttled(event):
            stage.throttled_starts += 1
        elif kind in CALL_FAILED:
            stage.failed_invocations += 1

    def _reopen(self) -> None:
        """Continue an execution that was stopped or timed out, where it ended."""
        self.status, self.stopped, self.error, self.cause = RUNNING, None, "", ""
        if self.current and self.current.state == "failed":
            self.current.state, self.current.exited_at = "running", None

    def _fail(self, at: datetime) -> None:
        if self._working:
            self._working.end("failed", at)

    def _end(self, status: str, at: datetime) -> None:
        self.status, self.stopped = status, at
        if status != SUCCEEDED:
            self._fail(at)


def _run_of(document: Any) -> Run | None:
    """The run in an output of Plan; None if an earlier version of the pipeline wrote another form."""
    try:
        return msgspec.convert(document, Run)
    except msgspec.ValidationError:
        return None


def read_new(stepfunctions: SFNClient, execution: str, timeline: Timeline) -> bool:
    """Add all events that a timeline doesn't have yet; return whether there were any."""
    found = list(_events_after(stepfunctions, execution, timeline.last_event))
    for event in reversed(found):
        timeline.apply(event)
    return bool(found)


def _events_after(stepfunctions: SFNClient, execution: str, last: int) -> Iterator[Event]:
    """The events with higher ids, newest first: a long history isn't read again each time."""
    pages = stepfunctions.get_paginator("get_execution_history").paginate(
        executionArn=execution, reverseOrder=True, PaginationConfig={"PageSize": 200}
    )
    for page in pages:
        for event in page["events"]:
            if event["id"] <= last:
                return
            yield event


def execution_name(execution: str) -> str:
    """The name in an execution's ARN."""
    return execution.rpartition(":")[2]
