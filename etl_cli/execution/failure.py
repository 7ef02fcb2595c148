"""An execution that did not succeed: which stage, why, and what to look at."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from etl_cli.commands import Command, failure_commands
from etl_cli.deployment import Pipeline
from etl_cli.execution.history import Timeline
from etl_cli.execution.ledger import Entry

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
}
# What to do, by the error's name. Running a window again writes the same records to the same keys.
_AGAIN = "run the window again."
_REMEDIES = {
    "InputError": "Start it again with an input that the message allows.",
    "CatchUpError": "Run the time that is missing, the oldest first: etl gaps lists it.",
    "ConfigurationError": "See with etl doctor what is missing, and deploy the stack again; then " + _AGAIN,
    "TransformationError": "Correct runtime/etl/transformation.py, try it with etl preview, deploy it; then " + _AGAIN,
    "CodeChangedError": "Somebody deployed during the run: " + _AGAIN,
    "QualityGateError": "See in quarantine what was rejected; correct the data or the transformation, and " + _AGAIN,
    "StagingError": "A staged object was changed, cut off or removed: " + _AGAIN,
    "BalanceError": "A staged object was changed, cut off or removed: " + _AGAIN,
    "UnexpectedError": "See in the log of its stage where the code failed: that is a fault of the pipeline's own.",
    "TransientError": "AWS throttled for minutes: set a ceiling with max_write_units_per_second, and " + _AGAIN,
    "Sandbox.Timedout": "A worker ran out of its time again and again: its log shows where.",
    "Runtime.ExitError": "A worker's process ended again and again, as by too much memory: its log shows where.",
    "Runtime.OutOfMemory": "A worker's memory was too small again and again: its log shows where.",
    "States.ExceedToleratedFailureThreshold": "A segment failed: the log of its stage has its error.",
    "ABORTED": "If it was stopped by mistake, " + _AGAIN,
    "TIMED_OUT": "etl plan says which setting makes such a window fit 30 minutes; deploy with it, and " + _AGAIN,
}
_REMEDIES["States.Timeout"] = _REMEDIES["TIMED_OUT"]
# Where to look for that, as words of this command.
_LOOK = {
    "CatchUpError": "gaps",
    "ConfigurationError": "doctor",
    "TransformationError": "preview",
    "QualityGateError": "quarantine show {run}",
}
_LOOK_ELSE = "logs --run {run}"
_UNEXPECTED = "Nobody expected this error: the log has its traceback."


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
        remedy: what to do.
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


def look_words(failure: Failure) -> list[str]:
    """The words of this command that show more of a failure, such as ``logs --run 20261103T020000123Z``."""
    name = failure.run or failure.execution.rpartition(":")[2]
    return _LOOK.get(failure.error, _LOOK_ELSE).format(run=name).split()


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
    run = timeline.run.get("timestamp", "")
    return _failure(pipeline, execution, (timeline.status, stage, timeline.error, timeline.cause), run)


def explain_entry(pipeline: Pipeline, entry: Entry) -> Failure:
    """Say the same by the ledger, which keeps it when Step Functions has forgotten the execution."""
    return _failure(pipeline, entry.execution, (entry.status, entry.stage, entry.error, entry.cause), entry.run)


def _failure(pipeline: Pipeline, execution: str, ending: tuple[str, str, str, str], run: str) -> Failure:
    """A failure by its status, stage, error and cause."""
    status, stage, error, cause = ending
    name, message = _STATUS.get(status, ("", ""))
    told, where = read_cause(cause)
    return Failure(
        execution=execution,
        status=status,
        stage=stage,
        error=error or name or "UnknownError",
        message=told or message or "Step Functions gives no cause.",
        where=[] if error in _EXPLAINED else where,
        run=run,
        commands=failure_commands(pipeline, execution, run, FUNCTIONS.get(stage, "")),
        remedy=_REMEDIES.get(error) or _REMEDIES.get(status) or _UNEXPECTED,
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
