"""Measures the ceilings on units: a run of several workers, and every request seen on its way."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import cycle, islice

from tests.consumption import Consumed, most_within, units_between
from tests.pipeline.execution import Execution, Window
from tests.pipeline.interposer import Answer, Request
from tests.pipeline.pipeline import Pipeline

WORKERS = 4
KB = 1024
# Of an item's text, with a little less than that for the rest of it; 4.5 write units an item on average.
SIZES = (1, 2, 12, 1, 5, 3, 9, 3)
UNITS = sum(SIZES) / len(SIZES)


READERS = 2


@dataclass(frozen=True)
class Batch:
    """A BatchWriteItem that was done, or a page of a Scan.

    Attributes:
        at: seconds on a clock.
        units: the units that it consumed, by the emulator.
        connection: of the worker.
        ids: of its items.
        segment: of the page.
    """

    at: float
    units: float
    connection: str
    ids: list[str]
    segment: int = -1


@dataclass(frozen=True)
class Measured:
    """The consumption of a run.

    Attributes:
        ceiling: units a second.
        processes: of the function that were at work.
        batches: all that were done.
        start, end: between these, each segment had records left.
    """

    ceiling: float
    processes: int
    batches: list[Batch]
    start: float
    end: float

    def most(self, seconds: float) -> float:
        """The consumption in the fullest span of so many seconds, relative to the ceiling."""
        return most_within(self._consumed(), seconds) / (seconds * self.ceiling)

    def is_held(self, seconds: float) -> bool:
        """Whether no span of so many seconds has a tenth more than the ceiling, and nine tenths of it are used."""
        return self.end - self.start >= seconds and self.most(seconds) <= 1.1 and self.used >= 0.9

    def told(self, seconds: float) -> str:
        """The result in words."""
        lasted = f"{self.processes} workers, {self.end - self.start:.0f} s"
        found = f"{self.most(seconds):.1%} of it in the fullest {seconds:g} s, {self.used:.1%} over all"
        return f"A ceiling of {self.ceiling:g} units a second, {lasted}: {found}"

    @property
    def used(self) -> float:
        """The consumption while each segment had records left, relative to the ceiling."""
        return units_between(self._consumed(), self.start, self.end) / ((self.end - self.start) * self.ceiling)

    def _consumed(self) -> list[Consumed]:
        return [Consumed(batch.at, batch.units) for batch in self.batches]


def measure(pipeline: Pipeline, window: Window, ceiling: int, seconds: float) -> Measured:
    """Run the pipeline over so many items that Load takes about so long with this ceiling.

    Args:
        pipeline: with no items of its own yet.
        window: nobody else's.
        ceiling: write units a second, of all workers together.
        seconds: of Load.
    """
    count = int(seconds * ceiling / UNITS)
    pipeline.put(
        pipeline.item(f"{n:05d}", window.at(n / count), text={"S": "x" * (size * KB - 200)})
        for n, size in enumerate(islice(cycle(SIZES), count))
    )
    batches: list[Batch] = []

    def record(request: Request) -> Answer:
        answer = request.forward()
        if request.operation == "BatchWriteItem":
            batches.append(_batch(request, answer))
        return answer

    with (
        pipeline.configured("etl-extract", SEGMENT_BYTES="1024", CONCURRENCY=str(WORKERS)),
        pipeline.interposed("etl-load", "DYNAMODB", record, MAX_WRITE_UNITS_PER_SECOND=str(ceiling)),
    ):
        execution = pipeline.run(window.input)
        processes = len(pipeline.processes("etl-load"))
    assert execution.counts["loaded"] == count == sum(len(batch.ids) for batch in batches)
    segments = _segments(pipeline, execution)
    times = [sorted(batch.at for batch in batches if segments[batch.ids[0]] == segment) for segment in range(WORKERS)]
    return Measured(
        ceiling, processes, batches, start=max(each[0] for each in times), end=min(each[-1] for each in times)
    )


def measure_reads(pipeline: Pipeline, window: Window, ceiling: int, seconds: float) -> Measured:
    """Run the pipeline over so many items that Extract takes about so long with this ceiling, with two workers.

    Args:
        pipeline: with no items of its own yet.
        window: nobody else's.
        ceiling: read units a second, of all workers together.
        seconds: of Extract.
    """
    count = int(seconds * ceiling * 8 * KB / (sum(SIZES) / len(SIZES) * KB))
    pipeline.put(
        pipeline.item(f"{n:05d}", window.at(n / count), text={"S": "x" * (size * KB - 200)})
        for n, size in enumerate(islice(cycle(SIZES), count))
    )
    pages: list[Batch] = []

    def record(request: Request) -> Answer:
        answer = request.forward()
        if request.operation == "Scan":
            units = json.loads(answer.body)["ConsumedCapacity"]["CapacityUnits"]
            pages.append(Batch(time.monotonic(), units, request.client, [], json.loads(request.body)["Segment"]))
        return answer

    with (
        pipeline.configured("etl-extract", SEGMENT_BYTES="1024", SOURCE_READ_UNITS_PER_SECOND=str(ceiling)),
        pipeline.interposed("etl-extract", "DYNAMODB", record),
    ):
        execution = pipeline.run(window.input)
        processes = len(pipeline.processes("etl-extract"))
    assert execution.counts["loaded"] == count
    times = [[page.at for page in pages if page.segment == segment] for segment in range(READERS)]
    assert sum(map(len, times)) == len(pages)
    return Measured(
        ceiling, processes, pages, start=max(each[0] for each in times), end=min(each[-1] for each in times)
    )


def _batch(request: Request, answer: Answer) -> Batch:
    ((_, puts),) = json.loads(request.body)["RequestItems"].items()
    (capacity,) = json.loads(answer.body)["ConsumedCapacity"]
    ids = [put["PutRequest"]["Item"]["id"]["S"] for put in puts]
    return Batch(time.monotonic(), capacity["CapacityUnits"], request.client, ids)


def _segments(pipeline: Pipeline, execution: Execution) -> dict[str, int]:
    """The segment of each item, by its id."""
    return {
        record["id"]: int(key.rpartition("/")[2].partition("-")[0])
        for key in pipeline.parts("transform", execution)
        for record in pipeline.document(key)
    }
