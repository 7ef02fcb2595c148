"""An execution's history, read as what the six stages of the pipeline did."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from etl_cli.runs.counts import totals

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

STAGES = ("Plan", "Extract", "Transform", "Gate", "Load", "Finish")

Event = Mapping[str, Any]
State = Literal["waiting", "running", "succeeded", "failed"]

_ENDED = {"ExecutionFailed": "FAILED", "ExecutionAborted": "ABORTED", "ExecutionTimedOut": "TIMED_OUT"}
# A function is called through Lambda's own resource on AWS, and as a task elsewhere: the events differ by name.
_CALLING = ("LambdaFunctionScheduled", "TaskScheduled")
_CALLED = ("LambdaFunctionSucceeded", "TaskSucceeded")
_CALL_FAILED = (
    "LambdaFunctionFailed",
    "LambdaFunctionStartFailed",
    "LambdaFunctionTimedOut",
    "TaskFailed",
    "TaskStartFailed",
    "TaskTimedOut",
)
# Lambda had no place for the function: nothing has run, and it is tried again for as long as the run has time.
_NO_ROOM = "Lambda.TooManyRequestsException"


@dataclass
class Stage:
    """What is known of one stage.

    Attributes:
        entered: when the workflow came to it; None before.
        left: when it succeeded or failed; None before.
        counts: totals by name over segments and over the stages so far, as of the last invocation that ended.
        counted: when that was; None before the first.
        segments_done: how many segments it has finished.
        invocations: how many invocations of its function succeeded.
        failed_invocations: how many did not; each is retried, or ends the execution.
        throttled_starts: how often Lambda had no place for the function: each is a transition, and no invocation.
        busy_seconds: time of all invocations that have ended, added up.
    """

    name: str
    state: State = "waiting"
    entered: datetime | None = None
    left: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    counted: datetime | None = None
    segments_done: int = 0
    invocations: int = 0
    failed_invocations: int = 0
    throttled_starts: int = 0
    busy_seconds: float = 0.0
    _called_at: deque[datetime] = field(default_factory=deque)
    _work: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took; None unless it has ended."""
        return (self.left - self.entered).total_seconds() if self.entered and self.left else None

    def take(self, work: list[dict[str, Any]], at: datetime) -> None:
        """Take in what workers returned for their segments."""
        self.counted = at
        self._work |= {each["segment"]: each for each in work}
        self.segments_done = sum("cursor" not in each for each in self._work.values())
        self.counts = totals(self._work.values())

    def call_began(self, at: datetime) -> None:
        """An invocation begins."""
        self._called_at.append(at)

    def call_ended(self, at: datetime) -> None:
        """An invocation has ended, succeeded or not. Which of them makes no difference to the sum of their times."""
        if self._called_at:
            self.busy_seconds += (at - self._called_at.popleft()).total_seconds()

    def end(self, state: Literal["succeeded", "failed"], at: datetime) -> None:
        """The stage has ended."""
        self.state, self.left = state, at


@dataclass
class Timeline:
    """An execution up to now.

    Attributes:
        status: as Step Functions names it: RUNNING, SUCCEEDED, FAILED, ABORTED or TIMED_OUT.
        run: the run that Plan fixed, as ``timestamp``, ``start``, ``end``, ``time`` and ``segments``; empty before.
        error: the name of the error that ended the execution; empty unless it failed.
        cause: what Step Functions says of it.
        output: the execution's output; empty unless it succeeded.
    """

    status: str = "RUNNING"
    started: datetime | None = None
    stopped: datetime | None = None
    run: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    cause: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    last_event: int = 0
    stages: dict[str, Stage] = field(default_factory=lambda: {name: Stage(name) for name in STAGES})
    _current: str = ""

    @property
    def current(self) -> Stage | None:
        """The stage that the workflow came to last; None before the first."""
        return self.stages.get(self._current)

    @property
    def _working(self) -> Stage | None:
        """The stage that runs; None when states behind it record a failure."""
        return self.current if self.current and self.current.state == "running" else None

    @property
    def seconds(self) -> float | None:
        """How long the execution took; None unless it has ended."""
        return (self.stopped - self.started).total_seconds() if self.started and self.stopped else None

    def apply(self, event: Event) -> None:
        """Take in the next event of the history, as GetExecutionHistory returns it.

        States that are none of the stages' are passed over, as are those within a Map.
        """
        kind, at = event["type"], event["timestamp"]
        self.last_event = event["id"]
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
        elif kind in _CALLING and self._working:
            self._working.call_began(at)
        elif kind in _CALLED:
            self._called(event)
        elif kind in _CALL_FAILED and self._working:
            if is_throttled(event):
                self._working.throttled_starts += 1
            else:
                self._working.failed_invocations += 1
            self._working.call_ended(at)
        elif kind == "ExecutionSucceeded":
            self._end("SUCCEEDED", at)
            self.output = _document(event.get("executionSucceededEventDetails"))
        elif kind in _ENDED:
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
            self.error, self.cause = details.get("error") or self.error, details.get("cause") or self.cause
            self._end(_ENDED[kind], at)

    def close(self, description: Event) -> None:
        """Take in what DescribeExecution says of an execution that has ended; it has the last word."""
        self.status = description["status"]
        self.stopped = description.get("stopDate") or self.stopped
        self.error = description.get("error") or self.error
        self.cause = description.get("cause") or self.cause
        if self.status == "SUCCEEDED":
            self.output = _document(description) or self.output

    def _enter(self, name: str, at: datetime) -> None:
        if name in self.stages:
            self._current = name
            stage = self.stages[name]
            stage.state, stage.entered = "running", at

    def _exit(self, details: Event, at: datetime) -> None:
        stage = self.stages.get(details["name"])
        if stage is None:
            return
        output = _document(details)
        failures = output.get("failure")  # what Catch has put there, by the state's name
        failure = failures.get(stage.name) if isinstance(failures, dict) else None
        if isinstance(failure, dict):
            self.error, self.cause = failure.get("Error", ""), failure.get("Cause", "")
            stage.end("failed", at)
            return
        stage.end("succeeded", at)
        if "run" in output and not self.run:
            self.run = output["run"]
        if stage.name == "Gate":
            stage.counts = output.get("gate", {}).get("counts", {})
        elif stage.name != "Plan" and isinstance(output.get("segments"), list):
            stage.take(output["segments"], at)
        elif stage.name == "Finish":
            stage.counts = output.get("counts", {})

    def _called(self, event: Event) -> None:
        if self._working:
            self._working.invocations += 1
            self._working.call_ended(event["timestamp"])
            work = _document(event.get("taskSucceededEventDetails") or event.get("lambdaFunctionSucceededEventDetails"))
            if "segment" in work:
                self._working.take([work], event["timestamp"])

    def _reopen(self) -> None:
        """Go on with an execution that was stopped or ran out of time, where it ended."""
        self.status, self.stopped, self.error, self.cause = "RUNNING", None, "", ""
        if self.current and self.current.state == "failed":
            self.current.state, self.current.left = "running", None

    def _fail(self, at: datetime) -> None:
        if self._working:
            self._working.end("failed", at)

    def _end(self, status: str, at: datetime) -> None:
        self.status, self.stopped = status, at
        if status != "SUCCEEDED":
            self._fail(at)


def error_of(event: Event) -> str:
    """The error that an event of a failure names; empty where it names none."""
    kind: str = event["type"]
    return str((event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}).get("error") or "")


def is_throttled(event: Event) -> bool:
    """Whether an event says that Lambda had no place for a function."""
    return event["type"] in _CALL_FAILED and error_of(event) == _NO_ROOM


def _document(details: Event | None) -> dict[str, Any]:
    """The JSON object that is the output in an event's details; empty when there is none."""
    try:
        output = json.loads((details or {}).get("output") or "{}")
    except ValueError:
        return {}
    return output if isinstance(output, dict) else {}


def read_new(stepfunctions: SFNClient, execution: str, timeline: Timeline) -> bool:
    """Take in the events since the last time; whether there were any.

    Args:
        stepfunctions: client of Step Functions.
        execution: ARN of the execution.
        timeline: what is known so far; changed.
    """
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
