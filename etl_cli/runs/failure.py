"""An execution that did not succeed: which stage, why, and what to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from etl.model.statuses import UNKNOWN
from etl_cli.aws.cli_lines import Command, failure_commands
from etl_cli.aws.deployment import Pipeline
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import Entry
from etl_cli.runs.remedies import remedy_for

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
    "CodeChangedError",
    "TransformationError",
    "StagingError",
    "QualityGateError",
    "BalanceError",
    "UnexpectedError",
    "TransientError",
}
_SHOWN_FRAMES = 3
_STATUS = {
    "ABORTED": ("Aborted", "The execution was stopped by hand, or by another program."),
    "TIMED_OUT": ("TimedOut", "The execution ran into the state machine's time limit of 30 minutes."),
    UNKNOWN: (
        "EndNotRecorded",
        "The run has had more time than the state machine allows, and its end was not recorded: the event that tells "
        "of it was lost, or the recorder failed.",
    ),
}


@dataclass(frozen=True)
class Failure:
    """Why an execution ended without success.

    Attributes:
        status: FAILED, ABORTED, TIMED_OUT or UNKNOWN.
        stage: the stage at which it ended; empty if before the first.
        error: the error's name.
        message: what it says, in words.
        where: the last lines of code, where the error brought them along.
        run: the run's timestamp; empty if Plan did not get so far.
        commands: what to look at next.
        remedy: what to do.
        look: words of this command that show more, with ``{run}`` for the run.
    """

    execution: str
    status: str
    stage: str
    error: str
    message: str
    where: list[str] = field(default_factory=list)
    run: str = ""
    commands: list[Command] = field(default_factory=list)
    remedy: str = ""
    look: str = "logs --run {run}"


def look_words(failure: Failure) -> list[str]:
    """The words of this command that show more of a failure, such as ``logs --run 20261103T020000123Z``."""
    return failure.look.format(run=failure.run or failure.execution.rpartition(":")[2]).split()


class ExecutionError(Exception):
    """An execution ended without success.

    Attributes:
        failure: why.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def explain(pipeline: Pipeline, execution: str, timeline: Timeline) -> Failure:
    """Say why an execution ended without success, by its history.

    Args:
        pipeline: where it ran.
        execution: its ARN.
        timeline: its whole history.
    """
    stage = timeline.current.name if timeline.current else ""
    run, replay = timeline.run.id if timeline.run else "", ""
    if timeline.run and timeline.run.replay:
        replay = timeline.run.replay.run
    return _failure(pipeline, execution, (timeline.status, stage, timeline.error, timeline.cause), run, replay)


def explain_entry(pipeline: Pipeline, entry: Entry) -> Failure:
    """Say the same by the ledger, which keeps it when Step Functions has forgotten the execution."""
    ending = (entry.status, entry.stage, entry.error, entry.cause)
    return _failure(pipeline, entry.execution, ending, entry.run, entry.replay)


def _failure(pipeline: Pipeline, execution: str, ending: tuple[str, str, str, str], run: str, replay: str) -> Failure:
    """A failure by its status, stage, error and cause."""
    status, stage, error, cause = ending
    name, message = _STATUS.get(status, ("", ""))
    told, where = read_cause(cause)
    remedy = remedy_for(status, stage, error, told, replay)
    return Failure(
        execution=execution,
        status=status,
        stage=stage,
        error=error or name or "UnknownError",
        message=told or message or "Step Functions gives no cause.",
        where=[] if error in _EXPLAINED else where,
        run=run,
        commands=failure_commands(pipeline, execution, run, FUNCTIONS.get(stage, "")),
        remedy=remedy.text,
        look=remedy.look,
    )


def read_cause(cause: str) -> tuple[str, list[str]]:
    """A cause as a message and lines of code; a function's error comes as JSON."""
    try:
        document: Any = json.loads(cause)
    except (ValueError, RecursionError):
        return cause.strip(), []
    if not isinstance(document, dict) or "errorMessage" not in document:
        return cause.strip(), []
    frames = [" ".join(str(frame).split("\n")[0].split()) for frame in document.get("stackTrace") or []]
    return str(document["errorMessage"]).strip(), frames[-_SHOWN_FRAMES:]
