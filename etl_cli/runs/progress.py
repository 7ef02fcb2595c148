"""Follows an execution: which stage it is at, and how far within it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl_cli.runs.history import Stage, Timeline, read_new

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

    from etl_cli.aws.deployment import Pipeline

# The history shows whole invocations only, and none of a Distributed Map's; what a running one has done shows in the
# bucket and in the table.
_MAPS = ("Extract", "Transform", "Load")
# What Plan and Gate write beside the parts of the stages.
_NOT_PARTS = ("/run.json", "/replayed.json", "/aggregates.json")
_PREFIXES = {"Extract": "extract", "Transform": "transform"}
_LOOK_SECONDS = 1.0
# After its end, an execution's last events can take a moment to appear.
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Snapshot:
    """An execution at one moment.

    Attributes:
        timeline: what the history says.
        staged_objects: objects that the current stage has written so far; None when it writes none.
        staged_bytes: their size.
        arrived: items by which the destination table has grown since the first look; None when it can't be known.
        arriving: how many of these came in a second.
        looked_at: when this was so, by this machine's clock.
    """

    timeline: Timeline
    staged_objects: int | None = None
    staged_bytes: int | None = None
    arrived: int | None = None
    arriving: float = 0.0
    looked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def follow(pipeline: Pipeline, execution: str, interval_seconds: float = 1.0) -> Iterator[Snapshot]:
    """Look at an execution again and again, until it has ended.

    Args:
        pipeline: where it runs.
        execution: its ARN.
        interval_seconds: time between two looks.
    """
    watch = Watch(pipeline, execution)
    while True:
        snapshot = watch.look()
        yield snapshot
        if snapshot.timeline.status != "RUNNING":
            return
        time.sleep(interval_seconds)


class Watch:
    """Looks at one execution, and remembers what it has read of the history."""

    def __init__(self, pipeline: Pipeline, execution: str, *, alone: bool = True) -> None:
        """Look at an execution from now on.

        Args:
            pipeline: where it runs.
            execution: its ARN.
            alone: whether no other run writes the destination meanwhile, so that its growth is this one's.
        """
        self._pipeline = pipeline
        self._execution = execution
        self._timeline = Timeline()
        self._alone = alone
        self._items_before = self._destination_items() if alone else 0
        self._looked_at = ("", 0.0)
        self._arrived_first: tuple[int, float] | None = None
        self._seen = Snapshot(self._timeline)

    def look(self) -> Snapshot:
        """The execution now."""
        description = self._pipeline.stepfunctions.describe_execution(executionArn=self._execution)
        read_new(self._pipeline.stepfunctions, self._execution, self._timeline)
        if description["status"] != "RUNNING":
            self._settle(description)
            return Snapshot(self._timeline)
        stage = self._timeline.current.name if self._timeline.current else ""
        if stage != self._looked_at[0] or time.monotonic() - self._looked_at[1] >= _LOOK_SECONDS:
            self._looked_at = (stage, time.monotonic())
            self._seen = self._look_within()
        return self._seen

    def _settle(self, description: DescribeExecutionOutputTypeDef) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._timeline.status == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.2)
            read_new(self._pipeline.stepfunctions, self._execution, self._timeline)
        self._timeline.close(description)

    def _look_within(self) -> Snapshot:
        stage, run = self._timeline.current, self._timeline.run
        if stage is None or not run:
            return Snapshot(self._timeline)
        if run["segments"] > 1 and stage.name in _MAPS:
            self._count_segments(stage)
        if stage.name in _PREFIXES:
            return Snapshot(self._timeline, *self._staged(f"{_PREFIXES[stage.name]}/{run['timestamp']}/"))
        return self._arrived() if stage.name == "Load" and self._alone else Snapshot(self._timeline)

    def _arrived(self) -> Snapshot:
        arrived, now = max(0, self._destination_items() - self._items_before), time.monotonic()
        self._arrived_first = first, since = self._arrived_first or (arrived, now)
        return Snapshot(self._timeline, arrived=arrived, arriving=(arrived - first) / (now - since or 1.0))

    def _count_segments(self, stage: Stage) -> None:
        """Count the segments that are done by the Map Run, if there is one; the history has those of an inline Map."""
        runs = self._pipeline.stepfunctions.list_map_runs(executionArn=self._execution)["mapRuns"]
        for run in runs:
            if f"/{stage.name}:" in run["mapRunArn"]:  # labelled with the Map's name
                counts = self._pipeline.stepfunctions.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
                stage.segments_done = counts["succeeded"]

    def _staged(self, prefix: str) -> tuple[int, int]:
        pages = self._pipeline.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._pipeline.staging_bucket, Prefix=prefix
        )
        sizes = [
            entry["Size"]
            for page in pages
            for entry in page.get("Contents", [])
            if not entry["Key"].endswith(_NOT_PARTS) and "/partials/" not in entry["Key"]
        ]
        return len(sizes), sum(sizes)

    def _destination_items(self) -> int:
        # On AWS this is up to six hours old, and then shows no growth. Source: DynamoDB API Reference, DescribeTable.
        dynamodb = self._pipeline.dynamodb
        try:
            return dynamodb.describe_table(TableName=self._pipeline.destination_table)["Table"].get("ItemCount", 0)
        except dynamodb.exceptions.ResourceNotFoundException:
            return 0  # the execution will say so, and what to do
