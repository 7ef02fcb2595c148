"""The executions of a night in which a fault strikes, and the ledger's entries that each must leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.model.names import ETL
from etl.model.stages import FUNCTIONS
from etl.model.statuses import UNKNOWN
from etl_cli.runs.ledger import find_run, read_ledger
from tests.faults.injection import Scene
from tests.faults.night import Night
from tests.pipeline.delivery import as_delivered
from tests.pipeline.execution import Execution, text
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline, wait_for


@dataclass
class Outcome:
    """The outcome of a night's executions.

    Attributes:
        night: the last night; its items are to be looked at.
        window: of the executions that succeeded.
        watermark: where it must be now.
        executions: all of them.
        problems: in words.
    """

    night: Night
    window: tuple[str, str]
    watermark: datetime | None
    executions: list[Execution] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def require(self, what: str, found: object, expected: object) -> None:
        """Note a problem if something isn't as expected."""
        if found != expected:
            self.problems.append(f"{what}: expected {expected}, got {found}")


Course = Callable[[Night, Scene, Ledger], Outcome]


def one_run(night: Night, scene: Scene, _: Ledger) -> Outcome:
    """The schedule's run; it succeeds."""
    return _all_succeed(night, [scene.start(night.input)], night.window)


def killed_for_memory(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The schedule's run, in which an invocation is killed for its memory; it succeeds."""
    outcome = one_run(night, scene, ledger)
    errors = outcome.executions[0].failures(scene.where)
    outcome.require(f"the errors of {scene.where}", errors, ["Runtime.OutOfMemory"])
    return outcome


def throttled_starts(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The schedule's run, with room for one worker of each stage; it succeeds."""
    functions, number = night.pipeline.clients.lambda_, {"ReservedConcurrentExecutions": 1}
    for name in map(ETL.function, FUNCTIONS):
        functions.put_function_concurrency(FunctionName=name, **number)
    try:
        outcome = one_run(night, scene, ledger)
    finally:
        for name in map(ETL.function, FUNCTIONS):
            functions.delete_function_concurrency(FunctionName=name)
    for state in ("Extract", "Transform", "Load"):
        errors = outcome.executions[0].failures(state)
        outcome.require(f"the errors of {state}", set(errors), {"Lambda.TooManyRequestsException"})
        for _ in errors:
            scene.note(state)
    return outcome


def each_page_once(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The schedule's run, which reads no page of the source twice: it keeps the pages that it has read."""
    outcome = one_run(night, scene, ledger)
    outcome.require("pages read twice", sum(times > 1 for times in scene.pages.values()), 0)
    outcome.require("pages read", bool(scene.pages), True)
    return outcome


def two_deliveries(night: Night, scene: Scene, _: Ledger) -> Outcome:
    """EventBridge, which delivers at least once, delivers the event that starts a run twice."""
    event = {"time": text(night.end), "detail": {"action": "start"}}
    given = as_delivered(night.pipeline, event)
    return _all_succeed(night, _start_twice(scene, given, seconds=scene.random.uniform(0, 2)), night.window)


def two_nights_at_once(night: Night, scene: Scene, _: Ledger) -> Outcome:
    """Two runs of the schedule's window at the same moment."""
    return _all_succeed(night, _start_twice(scene, night.input), night.window)


def two_backfills_at_once(night: Night, scene: Scene, _: Ledger) -> Outcome:
    """Two runs of one window at the same moment, with a gap before the window: the watermark stays."""
    window = (text(night.first + timedelta(hours=2)), text(night.end))
    arns = _start_twice(scene, dict(zip(("start", "end"), window, strict=True)))
    outcome = _all_succeed(night, arns, window)
    outcome.watermark = night.watermark
    return outcome


def stopped_and_run_again(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The run is stopped in the middle, and started again while its workers may still be at work."""
    stopped = night.pipeline.ended(scene.start(night.input))
    ended = wait_for("the stopped run's entry", lambda: _ended(ledger, stopped.arn))
    watermark = ledger.watermark()
    outcome = one_run(night, scene, ledger)
    outcome.executions.insert(0, stopped)
    outcome.require("the stopped execution", stopped.status, "ABORTED")
    outcome.require("its entry", (ended["status"], ended.get("stage")), ("ABORTED", scene.where))
    outcome.require("the watermark after the stop", watermark, _instant(night.watermark))
    return outcome


def stopped_while_finishing(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The run is stopped when Finish's function is at work: all is loaded, and the function goes on to prove it.

    Nothing can call it back. So the execution is stopped, and the ledger shows the state of the data.
    """
    stopped = night.pipeline.ended(scene.start(night.input))
    wait_for("the finished run's entry", lambda: ledger.entry(stopped.arn).get("status") == "SUCCEEDED")
    watermark = ledger.watermark()
    again = scene.start(dict(zip(("start", "end"), night.window, strict=True)))
    outcome = _all_succeed(night, [again], night.window)
    outcome.executions.insert(0, stopped)
    entry = ledger.entry(stopped.arn)
    facts = tuple(entry.get(name) for name in ("status", "window_start", "window_end", "stage", "error"))
    outcome.require("the stopped execution", stopped.status, "ABORTED")
    outcome.require("its entry", facts, ("SUCCEEDED", *night.window, None, None))
    outcome.require("the watermark after the stop", watermark, text(night.end))
    return outcome


def stopped_unseen(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The run is stopped, and the event that tells of it is lost; the next night's covers both nights.

    AWS delivers such events by best effort. The entry stays at RUNNING, and is taken as ended when the run must have.
    """
    events, rule = night.pipeline.clients.events, "etl-pipeline-ended"
    events.disable_rule(Name=rule)
    try:
        stopped = night.pipeline.ended(scene.start(night.input))
        scene.over.set()
        outcome = one_run(night.next(), scene, ledger)
    finally:
        events.enable_rule(Name=rule)
    outcome.executions.insert(0, stopped)
    entries, now = {}, datetime.now(UTC)
    for minutes in (0, 36):
        found = read_ledger(night.pipeline.clients.dynamodb, ETL, now + timedelta(minutes=minutes))[0]
        entries[minutes] = find_run(found, stopped.arn).status
    outcome.require("the stopped execution", stopped.status, "ABORTED")
    outcome.require("its entry at once, and later", entries, {0: "RUNNING", 36: UNKNOWN})
    return outcome


def failed_and_caught_up(night: Night, scene: Scene, ledger: Ledger) -> Outcome:
    """The run fails; the next night's covers both nights."""
    failed = night.pipeline.ended(scene.start(night.input))
    scene.over.set()
    entry, watermark = ledger.entry(failed.arn), ledger.watermark()
    outcome = one_run(night.next(), scene, ledger)
    outcome.executions.insert(0, failed)
    outcome.require("the failed execution", failed.status, "FAILED")
    facts = tuple(entry.get(name) for name in ("status", "stage", "error"))
    outcome.require("its entry", facts, ("FAILED", scene.where, failed.error))
    outcome.require("its entry's cause", entry.get("cause"), _cause(night.pipeline, failed))
    outcome.require("its error", failed.error, "ConfigurationError")
    outcome.require("the watermark after the failure", watermark, _instant(night.watermark))
    return outcome


def _start_twice(scene: Scene, given: Any, seconds: float = 0) -> list[str]:
    first = scene.start(given)
    time.sleep(seconds)
    scene.note()
    return [first, scene.start(given)]


def _all_succeed(night: Night, arns: list[str], window: tuple[str, str]) -> Outcome:
    outcome = Outcome(night, window, night.end, [night.pipeline.ended(arn) for arn in arns])
    for execution in outcome.executions:
        if execution.status != "SUCCEEDED":
            outcome.problems.append(f"an execution {execution.status}: {execution.error}: {execution.message}")
    return outcome


def _ended(ledger: Ledger, arn: str) -> dict[str, Any] | None:
    entry = ledger.entry(arn)
    return entry if entry.get("status", "RUNNING") != "RUNNING" else None


def _cause(pipeline: Pipeline, execution: Execution) -> str:
    return pipeline.clients.stepfunctions.describe_execution(executionArn=execution.arn)["cause"]


def _instant(instant: datetime | None) -> str | None:
    return text(instant) if instant else None
