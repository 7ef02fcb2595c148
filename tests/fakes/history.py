"""Made-up executions, as AWS writes their histories: of any number of segments, some gone on with, some tried again."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from etl.model.counts import COUNTS
from etl.model.stages import BY_STATE, STATES

Event = dict[str, Any]
WORKERS = 40  # of an inline Map
MAPS = tuple(state for state in STATES if BY_STATE[state].is_map)


class FakeHistory:
    """An execution that succeeds.

    Attributes:
        events: in the order of time, numbered, each with the one before it.
        counts: the run's, by name.
        ended: when it ended.
    """

    def __init__(self, started: datetime, segments: int, run: dict[str, Any], output: dict[str, Any]) -> None:
        """Make it up.

        Args:
            started: when it starts.
            segments: how many each Map has.
            run: as Plan gives it.
            output: of the execution, in which the counts are put.
        """
        counted = [segment_counts(number) for number in range(segments)]
        totals: Counter[str] = Counter()
        for counts in counted:
            totals.update({name: number for name, number in counts.items() if number})
        self.counts = dict(totals)
        outputs = {
            "Plan": {"run": {"time": run["end"], "execution": "arn"} | run | {"segments": segments}},
            "Gate": {"gate": {"counts": {name: self.counts[name] for name in COUNTS[:14] if name in self.counts}}},
            "Finish": output | {"counts": self.counts, "segments": segments},
        }
        self._made: list[tuple[Event, Event | None]] = []
        now, last = started, self._add(started, "ExecutionStarted", None)
        for stage in STATES:
            if stage in MAPS:
                now, last = self._map(now, last, stage, counted)
            else:
                now, last = self._step(now, last, stage, outputs[stage])
        details = {"output": json.dumps(outputs["Finish"])}
        self._add(now, "ExecutionSucceeded", last, executionSucceededEventDetails=details)
        self.ended = now
        self.events = self._numbered()

    def _add(self, at: datetime, kind: str, previous: Event | None, **details: Any) -> Event:
        event = {"timestamp": at, "type": kind, **details}
        self._made.append((event, previous))
        return event

    def _step(self, now: datetime, last: Event, stage: str, output: dict[str, Any]) -> tuple[datetime, Event]:
        last = self._add(now, "TaskStateEntered", last, stateEnteredEventDetails={"name": stage})
        last = self._add(now, "LambdaFunctionScheduled", last)
        now += timedelta(seconds=0.4)
        details = {"output": json.dumps(output)}
        last = self._add(now, "LambdaFunctionSucceeded", last, lambdaFunctionSucceededEventDetails=details)
        return now, self._add(now, "TaskStateExited", last, stateExitedEventDetails=details | {"name": stage})

    def _map(self, now: datetime, last: Event, stage: str, counted: list[dict[str, int]]) -> tuple[datetime, Event]:
        """A Map, whose segments wait for a worker that is free."""
        entered = self._add(now, "MapStateEntered", last, stateEnteredEventDetails={"name": stage})
        free, done = [now] * WORKERS, MAPS[: MAPS.index(stage) + 1]
        for segment, counts in enumerate(counted):
            details = {"name": stage, "index": segment}
            begun = heapq.heappop(free)
            item = self._add(begun, "MapIterationStarted", entered, mapIterationStartedEventDetails=details)
            heapq.heappush(free, self._segment(begun, item, work(segment, counts, done)))
        end, result = max(free), [work(segment, counts, done) for segment, counts in enumerate(counted)]
        details = {"name": stage, "output": json.dumps({"segments": result})}
        return end, self._add(end, "MapStateExited", entered, stateExitedEventDetails=details)

    def _segment(self, now: datetime, last: Event, result: dict[str, Any]) -> datetime:
        for seconds, error, goes_on in _course(result["segment"]):
            last = self._add(now, "LambdaFunctionScheduled", last)
            last = self._add(now, "LambdaFunctionStarted", last)
            now += timedelta(seconds=seconds)
            if error:
                last = self._add(now, "LambdaFunctionFailed", last, lambdaFunctionFailedEventDetails={"error": error})
                now += timedelta(seconds=1)
                continue
            output = json.dumps(result | {"cursor": "a"} if goes_on else result)
            last = self._add(
                now, "LambdaFunctionSucceeded", last, lambdaFunctionSucceededEventDetails={"output": output}
            )
        return now

    def _numbered(self) -> list[Event]:
        order = sorted(range(len(self._made)), key=lambda number: self._made[number][0]["timestamp"])
        ids = {id(self._made[number][0]): place for place, number in enumerate(order, 1)}
        for event, previous in self._made:
            event["id"] = ids[id(event)]
            event["previousEventId"] = ids[id(previous)] if previous else 0
        return [self._made[number][0] for number in order]


def segment_counts(segment: int) -> dict[str, int]:
    """The counts of a segment, which add up."""
    read = 30_000 + segment * 1_237 % 5_000
    rejected, dropped, superseded = segment % 5, 30 + segment % 11, segment % 3
    transformed = read - rejected - dropped
    return {
        "scanned": 25 * read,
        "read": read,
        "read_units": 3 * read,
        "extracted": read,
        "extract_parts": 1,
        "extract_bytes": 900 * read,
        "transformed": transformed,
        "dropped": dropped,
        "rejected_transform": rejected,
        "records": transformed,
        "transform_parts": 1,
        "transform_bytes": 700 * read,
        "loaded": transformed - superseded,
        "superseded": superseded,
        "load_requests": transformed // 25 + 1,
        "write_units": transformed - superseded,
    }


def work(segment: int, counts: dict[str, int], stages: tuple[str, ...]) -> dict[str, Any]:
    """A worker's result for its segment after these stages."""
    until = COUNTS.index(
        {"Extract": "extract_bytes", "Transform": "transform_bytes", "Load": "write_units"}[stages[-1]]
    )
    return {"segment": segment, "counts": [counts.get(name, 0) for name in COUNTS[: until + 1]]}


def _course(segment: int) -> Iterator[tuple[float, str, bool]]:
    """The invocations of a segment: how long, with which error, and whether the next one goes on."""
    seconds = 3 + segment * 7919 % 97 / 10
    if segment % 23 == 5:
        yield seconds / 3, "TransientError", False
    if segment % 7 == 2:
        yield 2 * seconds, "", True
        yield seconds, "", True
    yield seconds, "", False
