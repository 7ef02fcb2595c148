"""All that the page of a run tells, as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from etl_cli.html_report.coverage_chart import CoverageLine, coverage_line
from etl_cli.runs.coverage import Watermark
from etl_cli.runs.history import read_new
from etl_cli.runs.ledger import Entry
from etl_cli.runs.workers import MapRun, WorkerTimeline, read_map_runs
from etl_cli.summary.contents import Contents, read_contents
from etl_cli.summary.record import RunRecord

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

_MAPS = ("Extract", "Transform", "Load")


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known of a run.

    Attributes:
        record: ledger, history, failure and cost.
        timeline: the history with its workers; None when Step Functions has forgotten it.
        map_runs: its Distributed Maps; empty if its Maps are inline.
        contents: what it left in bucket and tables.
        coverage: its window on a time line; None if it had none.
        tables: names of the source table and of the destination table.
        made: when all this was so.
    """

    record: RunRecord
    timeline: WorkerTimeline | None
    map_runs: list[MapRun] = field(default_factory=list)
    contents: Contents
    coverage: CoverageLine | None
    tables: tuple[str, str]
    made: datetime

    @property
    def counts(self) -> dict[str, int]:
        """The run's counts by name; of a run that failed, those of the workers that ended."""
        counts = dict(self.record.entry.counts)
        for stage in self.timeline.stages.values() if self.timeline and not counts else ():
            counts |= stage.counts
        return counts


def read_facts(
    pipeline: Pipeline, record: RunRecord, entries: Sequence[Entry], watermark: Watermark | None, now: datetime
) -> RunFacts:
    """Read all that is told of a run.

    Args:
        pipeline: where it ran.
        record: ledger, history, failure and cost.
        entries: all of the ledger, the latest first.
        watermark: the ledger's.
        now: up to where time can be covered.
    """
    entry = record.entry
    timeline = _timeline(pipeline, record)
    inline = timeline is None or timeline.invocations
    return RunFacts(
        record=record,
        timeline=timeline,
        map_runs=[] if inline else read_map_runs(pipeline.stepfunctions, entry.execution, _MAPS),
        contents=read_contents(pipeline, entry, timeline),
        coverage=coverage_line(entry, entries, watermark, now),
        tables=(pipeline.source_table, pipeline.destination_table),
        made=now,
    )


def _timeline(pipeline: Pipeline, record: RunRecord) -> WorkerTimeline | None:
    """The history once more, with its workers."""
    if record.timeline is None:
        return None
    timeline, execution = WorkerTimeline(), record.entry.execution
    read_new(pipeline.stepfunctions, execution, timeline)
    timeline.close(pipeline.stepfunctions.describe_execution(executionArn=execution))
    return timeline
