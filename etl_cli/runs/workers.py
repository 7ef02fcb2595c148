"""Who worked at which segment, and when: the invocations of an execution, by its history."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from etl_cli.runs.history import Event, Timeline, error_of, is_throttled

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# A function is called through Lambda's own resource on AWS, and as a task elsewhere: the events differ by name.
_OF_CALLS = ("LambdaFunction", "Task")
_FAILED = ("Failed", "TimedOut")


@dataclass
class Invocation:
    """One invocation of a worker.

    Attributes:
        stage: of which stage.
        segment: the segment that it worked at.
        number: which invocation of this stage for this segment, from 1 on.
        started: when it was scheduled.
        ended: None while it runs.
        error: the name of the error that ended it; empty if it succeeded.
        goes_on: whether it ran low on time, and the next one goes on where it was.
    """

    stage: str
    segment: int
    number: int
    started: datetime
    ended: datetime | None = None
    error: str = ""
    goes_on: bool = False


@dataclass
class _Item:
    """One item of a Map, whose invocations follow one another; `scheduled` is the event of the last one."""

    stage: str
    segment: int
    invocations: list[Invocation] = field(default_factory=list)
    scheduled: int = 0


@dataclass
class WorkerTimeline(Timeline):
    """An execution, with the invocations of its workers; those of Distributed Maps are in other histories."""

    _items: dict[int, _Item] = field(default_factory=dict)
    _made: dict[int, Invocation] = field(default_factory=dict)

    @property
    def invocations(self) -> list[Invocation]:
        """All invocations, in the order of their starts; what Lambda had no place for is none."""
        return list(self._made.values())

    def apply(self, event: Event) -> None:
        """Take in the next event of the history."""
        super().apply(event)
        kind = event["type"]
        if kind == "MapIterationStarted":
            details = event["mapIterationStartedEventDetails"]
            self._items[event["id"]] = _Item(details["name"], details["index"])
        item = self._items.get(event.get("previousEventId", 0))
        if item is None:
            return
        self._items[event["id"]] = item
        if not kind.startswith(_OF_CALLS):
            return
        if kind.endswith("Scheduled"):
            made = Invocation(item.stage, item.segment, len(item.invocations) + 1, event["timestamp"])
            item.invocations.append(made)
            item.scheduled, self._made[event["id"]] = event["id"], made
        elif is_throttled(event) and item.invocations:
            item.invocations.pop()
            del self._made[item.scheduled]
        elif kind.endswith(("Succeeded", *_FAILED)) and item.invocations:
            _end(item.invocations[-1], event)


def _end(invocation: Invocation, event: Event) -> None:
    kind: str = event["type"]
    invocation.ended = event["timestamp"]
    if kind.endswith(_FAILED):
        invocation.error = error_of(event) or "UnknownError"
    else:
        details: dict[str, Any] = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
        invocation.goes_on = "cursor" in json.loads(details.get("output") or "{}")


@dataclass(frozen=True)
class MapRun:
    """What Step Functions tells of a Distributed Map: how many segments came how far.

    Attributes:
        stage: the Map's name.
        started: when it began.
        ended: None while it runs.
        segments: how many it has.
        succeeded: how many are done.
        failed: how many failed, timed out or were stopped.
    """

    stage: str
    started: datetime
    ended: datetime | None
    segments: int
    succeeded: int
    failed: int


def read_map_runs(stepfunctions: SFNClient, execution: str, stages: Sequence[str]) -> list[MapRun]:
    """The Distributed Maps of an execution, in the order of its stages; empty if its Maps are inline.

    Args:
        stepfunctions: client of Step Functions.
        execution: ARN of the execution.
        stages: names of the Maps.
    """
    found = []
    for listed in stepfunctions.list_map_runs(executionArn=execution)["mapRuns"]:
        label = listed["mapRunArn"].split(":")[-2].rpartition("/")[2]
        if label in stages:
            run = stepfunctions.describe_map_run(mapRunArn=listed["mapRunArn"])
            counts = run["itemCounts"]
            failed = counts["failed"] + counts["timedOut"] + counts["aborted"]
            found.append(
                MapRun(label, run["startDate"], run.get("stopDate"), counts["total"], counts["succeeded"], failed)
            )
    return sorted(found, key=lambda run: stages.index(run.stage))
