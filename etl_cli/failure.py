"""An execution that did not succeed: which stage, why, and what to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from etl_cli.commands import Command, failure_commands
from etl_cli.deployment import Pipeline
from etl_cli.history import Timeline

# The function behind each stage. Source: the stack's resources, whose names are fixed.
FUNCTIONS = {
    "Plan": "etl-extract",
    "Extract": "etl-extract",
    "Transform": "etl-transform",
    "Gate": "etl-transform",
    "Load": "etl-load",
    "Finish": "etl-load",
}
# Errors whose message says what, where and what to do; of any other, the lines of code help more.
_EXPLAINED = {
    "InputError",
    "CatchUpError",
    "ConfigurationError",
    "TransformationError",
    "StagingError",
    "QualityGateError",
    "BalanceError",
    "TransientError",
}
_SHOWN_FRAMES = 3
_STATUS = {
    "ABORTED": ("Aborted", "The execution was stopped by hand, or by another program."),
    "TIMED_OUT": ("TimedOut", "The execution ran into the state machine's time limit of 30 minutes."),
}


@dataclass(frozen=True)
class Failure:
    """Why an execution ended without success.

    Attributes:
        status: FAILED, ABORTED or TIMED_OUT.
        stage: the stage at which it ended; empty if before the first.
        error: the error's name.
        message: what it says, in words.
        where: the last lines of code, where the error brought them along.
        run: the run's timestamp; empty if Plan did not get so far.
        commands: what to look at next.
    """

    execution: str
    status: str
    stage: str
    error: str
    message: str
    where: list[str] = field(default_factory=list)
    run: str = ""
    commands: list[Command] = field(default_factory=list)


class ExecutionError(Exception):
    """An execution ended without success.

    Attributes:
        failure: why.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def explain(pipeline: Pipeline, execution: str, timeline: Timeline) -> Failure:
    """Say why an execution ended without success.

    Args:
        pipeline: where it ran.
        execution: its ARN.
        timeline: its whole history.
    """
    error, message = _STATUS.get(timeline.status, ("", ""))
    told, where = _read_cause(timeline.cause)
    stage = timeline.current.name if timeline.current else ""
    run = timeline.run.get("timestamp", "")
    return Failure(
        execution=execution,
        status=timeline.status,
        stage=stage,
        error=timeline.error or error or "UnknownError",
        message=told or message or "Step Functions gives no cause.",
        where=[] if timeline.error in _EXPLAINED else where,
        run=run,
        commands=failure_commands(pipeline, execution, run, FUNCTIONS.get(stage, "")),
    )


def _read_cause(cause: str) -> tuple[str, list[str]]:
    """A cause as a message and lines of code; a function's error comes as JSON."""
    try:
        document: Any = json.loads(cause)
    except ValueError:
        return cause.strip(), []
    if not isinstance(document, dict) or "errorMessage" not in document:
        return cause.strip(), []
    frames = [" ".join(str(frame).split("\n")[0].split()) for frame in document.get("stackTrace") or []]
    return str(document["errorMessage"]).strip(), frames[-_SHOWN_FRAMES:]
