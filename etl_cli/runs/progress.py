"""Follows an execution: the stage that it is at, and the progress within it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl.model.stages import BY_STATE, LOAD
from etl.model.statuses import RUNNING
from etl.staging.keys import part_of, stage_prefix
from etl_cli.runs.history import StageProgress, Timeline, read_new

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

    from etl_cli.aws.deployment import Deployment

_LOOK_SECONDS = 1.0
# After its end, an execution's last events can take a moment to appear.
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Snapshot:
    """An execution at one moment.

    The history shows whole invocations only, and none of a Distributed Map. The progress of those that run shows in the
    bucket and in the destination table.
    """

    timeline: Timeline  # the execution by its history
    staged_objects: int | None = None  # objects that the current stage has written so far; None if it writes none
    staged_bytes: int | None = None
    arrived: int | None = None  # growth of the destination table in items since the first look; None if it is unknown
    arriving: float = 0.0  # the same in items per second
    looked_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def follow(deployment: Deployment, execution: str, interval_seconds: float = 1.0) -> Iterator[Snapshot]:
    """Look at an execution (an ARN) again and again until it has ended."""
    watch = Watch(deployment, execution)
    while True:
        snapshot = watch.look()
        yield snapshot
        if snapshot.timeline.status != RUNNING:
            return
        time.sleep(interval_seconds)


class Watch:
    """Looks at one execution, and remembers the history that it has read."""

    def __init__(self, deployment: Deployment, execution: str, *, sole_writer: bool = True) -> None:
        """Prepare to look at an execution (an ARN). The destination's growth is the work of a ``sole_writer``."""
        self._deployment = deployment
        self._execution = execution
        self._timeline = Timeline()
        self._is_sole_writer = sole_writer
        self._items_before = self._destination_items() if sole_writer else 0
        self._looked_at = ("", 0.0)
        self._arrived_first: tuple[int, float] | None = None
        self._seen = Snapshot(self._timeline)

    def look(self) -> Snapshot:
        """The execution now."""
        description = self._deployment.stepfunctions.describe_execution(executionArn=self._execution)
        read_new(self._deployment.stepfunctions, self._execution, self._timeline)
        if description["status"] != RUNNING:
            self._settle(description)
            return Snapshot(self._timeline)
        stage = self._timeline.current.name if self._timeline.current else ""
        if stage != self._looked_at[0] or time.monotonic() - self._looked_at[1] >= _LOOK_SECONDS:
            self._looked_at = (stage, time.monotonic())
            self._seen = self._look_within()
        return self._seen

    def _settle(self, description: DescribeExecutionOutputTypeDef) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._timeline.status == RUNNING and time.monotonic() < deadline:
            time.sleep(0.2)
            read_new(self._deployment.stepfunctions, self._execution, self._timeline)
        self._timeline.close(description)

    def _look_within(self) -> Snapshot:
        progress, run = self._timeline.current, self._timeline.run
        if progress is None or run is None:
            return Snapshot(self._timeline)
        stage = BY_STATE[progress.name]
        if run.segments > 1 and stage.is_map:
            self._count_segments(progress)
        if stage.stages_records:
            return Snapshot(self._timeline, *self._staged(stage_prefix(stage.action, run.id)))
        return self._arrived() if stage.action == LOAD and self._is_sole_writer else Snapshot(self._timeline)

    def _arrived(self) -> Snapshot:
        arrived, now = max(0, self._destination_items() - self._items_before), time.monotonic()
        self._arrived_first = first, since = self._arrived_first or (arrived, now)
        return Snapshot(self._timeline, arrived=arrived, arriving=(arrived - first) / (now - since or 1.0))

    def _count_segments(self, stage: StageProgress) -> None:
        """Count the segments that a Map Run has finished. The history has those of an inline Map."""
        runs = self._deployment.stepfunctions.list_map_runs(executionArn=self._execution)["mapRuns"]
        for run in runs:
            if f"/{stage.name}:" in run["mapRunArn"]:  # labelled with the Map's name
                counts = self._deployment.stepfunctions.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
                stage.segments_done = counts["succeeded"]

    def _staged(self, prefix: str) -> tuple[int, int]:
        """Number and size of the parts that a stage has written."""
        pages = self._deployment.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._deployment.staging_bucket, Prefix=prefix
        )
        sizes = [entry["Size"] for page in pages for entry in page.get("Contents", []) if part_of(entry["Key"])]
        return len(sizes), sum(sizes)

    def _destination_items(self) -> int:
        # On AWS this is up to six hours old, and then shows no growth. Source: DynamoDB API Reference, DescribeTable.
        dynamodb = self._deployment.dynamodb
        try:
            return dynamodb.describe_table(TableName=self._deployment.destination_table)["Table"].get("ItemCount", 0)
        except dynamodb.exceptions.ResourceNotFoundException:
            return 0  # the execution fails, and its error says what to do
