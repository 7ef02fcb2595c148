"""A failed run: its stage, its error, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from etl.model.errors import NAMES
from etl.model.remedies import remedy_for
from etl.model.stages import function_of
from etl.model.statuses import words_for
from etl_cli.aws.cli_lines import ShellLine, failure_lines
from etl_cli.aws.deployment import Deployment
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import LedgerEntry

_SHOWN_FRAMES = 3


@dataclass(frozen=True)
class Failure:
    """A run that ended without success."""

    execution: str  # ARN of its execution
    status: str
    stage: str  # the stage at which it ended; empty if before the first
    error: str
    message: str
    where: list[str] = field(default_factory=list)  # last lines of code, unless the message says what to do
    run: str = ""  # id of the run; empty if Plan did not get so far
    commands: list[ShellLine] = field(default_factory=list)
    remedy: str = ""
    look: str = ""  # the `etl` command that shows more, without `etl`


def look_words(failure: Failure) -> list[str]:
    """The words of the `etl` command that shows more, such as ``logs --run 20261103T020000123Z``."""
    return failure.look.format(run=failure.run or failure.execution.rpartition(":")[2]).split()


class ExecutionError(Exception):
    """An execution ended without success."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def explain(deployment: Deployment, execution: str, timeline: Timeline) -> Failure:
    """Explain a failure by the whole history of the execution (an ARN)."""
    stage = timeline.current.name if timeline.current else ""
    run, replay = timeline.run.id if timeline.run else "", ""
    if timeline.run and timeline.run.replay:
        replay = timeline.run.replay.run
    return _failure(deployment, execution, (timeline.status, stage, timeline.error, timeline.cause), run, replay)


def explain_entry(deployment: Deployment, entry: LedgerEntry) -> Failure:
    """Explain a failure by its entry in the ledger, which outlives the history of the execution."""
    ending = (entry.status, entry.stage, entry.error, entry.cause)
    return _failure(deployment, entry.execution, ending, entry.run, entry.replay)


def _failure(
    deployment: Deployment, execution: str, ending: tuple[str, str, str, str], run: str, replay: str
) -> Failure:
    """A failure by its status, stage, error and cause."""
    status, stage, error, cause = ending
    known = words_for(status)
    text, where = read_cause(cause)
    remedy = remedy_for(status, stage, error, text, replay)
    return Failure(
        execution=execution,
        status=status,
        stage=stage,
        error=error or known.error or "UnknownError",
        message=text or known.cause or "Step Functions gives no cause.",
        where=[] if error in NAMES else where,
        run=run,
        commands=failure_lines(deployment, execution, run, function_of(stage)),
        remedy=remedy.text,
        look=remedy.look,
    )


def read_cause(cause: str) -> tuple[str, list[str]]:
    """The message and the last lines of code of a cause, which is JSON if a function raised the error."""
    try:
        document: Any = json.loads(cause)
    except (ValueError, RecursionError):
        return cause.strip(), []
    if not isinstance(document, dict) or "errorMessage" not in document:
        return cause.strip(), []
    frames = [" ".join(str(frame).split("\n")[0].split()) for frame in document.get("stackTrace") or []]
    return str(document["errorMessage"]).strip(), frames[-_SHOWN_FRAMES:]
