"""The invocations of an execution's workers, and the progress of its Distributed Maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from etl.model.stages import MAPS
from etl_cli.runs.events import (
    CALL_FAILED,
    CALL_SCHEDULED,
    CALL_SUCCEEDED,
    Event,
    details_of,
    error_of,
    is_throttled,
    output_of,
)

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


@dataclass
class Invocation:
    """One invocation of a worker."""

    stage: str
    segment: int
    number: int  # the place among the invocations of this stage and segment, from 1
    started: datetime
    ended: datetime | None = None
    error: str = ""
    goes_on: bool = False  # whether it ran low on time and left the rest to the next one


@dataclass
class _Item:
    """One item of a Map and its invocations. ``scheduled`` is the id of the latest invocation's first event."""

    stage: str
    segment: int
    invocations: list[Invocation] = field(default_factory=list)
    scheduled: int = 0


@dataclass
class Workers:
    """The workers of inline Maps. A Distributed Map has histories of its own, so none of its workers is here."""

    _items: dict[int, _Item] = field(default_factory=dict)
    _invocations: dict[int, Invocation] = field(default_factory=dict)

    @property
    def invocations(self) -> list[Invocation]:
        """All invocations in the order of their starts, without starts that Lambda throttled."""
        return list(self._invocations.values())

    def apply(self, event: Event) -> None:
        """Add the next event of the history."""
        kind: str = event["type"]
        if kind == "MapIterationStarted":
            details = details_of(event)
            self._items[event["id"]] = _Item(details["name"], details["index"])
        item = self._items.get(event.get("previousEventId", 0))
        if item is None:
            return
        self._items[event["id"]] = item
        if kind in CALL_SCHEDULED:
            started = Invocation(item.stage, item.segment, len(item.invocations) + 1, event["timestamp"])
            item.invocations.append(started)
            item.scheduled, self._invocations[event["id"]] = event["id"], started
        elif item.invocations and is_throttled(event):
            item.invocations.pop()
            del self._invocations[item.scheduled]
        elif item.invocations and kind in (*CALL_SUCCEEDED, *CALL_FAILED):
            latest = item.invocations[-1]
            latest.ended = event["timestamp"]
            latest.error = (error_of(event) or "UnknownError") if kind in CALL_FAILED else ""
            latest.goes_on = "cursor" in output_of(details_of(event))


@dataclass(frozen=True)
class MapRun:
    """The progress of a Distributed Map; ``failed`` are segments that failed, timed out or were stopped."""

    stage: str
    started: datetime
    ended: datetime | None
    segments: int
    succeeded: int
    failed: int


def read_map_runs(stepfunctions: SFNClient, execution: str) -> list[MapRun]:
    """The Distributed Maps of an execution (an ARN) in the order of the stages; empty if its Maps are inline."""
    stages = [stage.state for stage in MAPS]
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
