"""All that is known of one run: from the ledger, which keeps it for ever, and from Step Functions, for 90 days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from etl.model.statuses import UNKNOWN
from etl_cli.costs.cost import DEFAULT_FUNCTIONS, Cost, cost_of
from etl_cli.costs.deployed import Deployed, read_deployed
from etl_cli.costs.planning import predicted_cost
from etl_cli.costs.prices import price_list
from etl_cli.runs.console_links import console_links
from etl_cli.runs.coverage import Watermark, covered_by, without
from etl_cli.runs.failure import Failure, explain, explain_entry
from etl_cli.runs.history import Timeline, read_new
from etl_cli.runs.ledger import Entry
from etl_cli.summary.report import RunReport
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One run.

    Attributes:
        entry: its entry in the ledger.
        timeline: its history; None when Step Functions has forgotten it.
        failure: why it failed; None if it didn't.
        missing: what of a failed run's window no run has covered.
        watermark: up to where the schedule has covered everything; None before its first run.
        cost: what it has cost, as far as it came.
        predicted: what `etl plan` would have said that it costs; None where that can't be said.
        links: pages of the AWS console, by what they show.
    """

    entry: Entry
    timeline: Timeline | None
    failure: Failure | None
    missing: list[Span]
    watermark: Watermark | None
    cost: Cost
    predicted: Cost | None
    links: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """As Step Functions has it while it knows the run, and else the ledger."""
        return self.timeline.status if self.timeline else self.entry.status

    @property
    def report(self) -> RunReport | None:
        """What is reported of a run that succeeded, without what lies in bucket and tables; None of any other."""
        entry, stages = self.entry, self.timeline.stages.values() if self.timeline else ()
        if entry.status != "SUCCEEDED" or entry.window is None:
            return None
        return RunReport(
            execution=entry.execution,
            run=entry.run,
            window={"start": format_instant(entry.window.start), "end": format_instant(entry.window.end)},
            counts=entry.counts,
            keys={},
            stages={stage.name: stage.seconds for stage in stages if stage.seconds is not None},
            seconds=entry.seconds or 0.0,
            replay=entry.replay,
        )


def read_record(pipeline: Pipeline, entry: Entry, entries: Sequence[Entry], watermark: Watermark | None) -> RunRecord:
    """Put together what is known of a run.

    Args:
        pipeline: where it ran.
        entry: the run's.
        entries: all of the ledger, the latest first.
        watermark: the ledger's.
    """
    timeline = _timeline(pipeline, entry)
    failure = _failure(pipeline, entry, timeline)
    missing = without([entry.window], covered_by(entries, watermark)) if failure and entry.window else []
    deployed = _deployed(pipeline)
    prices = price_list(pipeline.dynamodb.meta.region_name)
    return RunRecord(
        entry=entry,
        timeline=timeline,
        failure=failure,
        missing=missing,
        watermark=watermark,
        cost=cost_of(entry, timeline, prices, deployed.functions if deployed else DEFAULT_FUNCTIONS),
        predicted=predicted_cost(entry, entries, deployed, prices) if deployed else None,
        links=console_links(pipeline, entry),
    )


def _timeline(pipeline: Pipeline, entry: Entry) -> Timeline | None:
    stepfunctions, timeline = pipeline.stepfunctions, Timeline()
    try:
        description = stepfunctions.describe_execution(executionArn=entry.execution)
        read_new(stepfunctions, entry.execution, timeline)
    except stepfunctions.exceptions.ExecutionDoesNotExist:
        return None
    if description["status"] != "RUNNING":
        timeline.close(description)
    return timeline


def _failure(pipeline: Pipeline, entry: Entry, timeline: Timeline | None) -> Failure | None:
    if entry.status in ("RUNNING", UNKNOWN) and timeline and timeline.status not in ("RUNNING", "SUCCEEDED"):
        return explain(pipeline, entry.execution, timeline)  # the ledger doesn't know
    return None if entry.status in ("RUNNING", "SUCCEEDED") else explain_entry(pipeline, entry)


def _deployed(pipeline: Pipeline) -> Deployed | None:
    """The pipeline's settings; without the permission to read them a run can still be shown."""
    try:
        return read_deployed(pipeline)
    except (UserError, BotoCoreError, ClientError):
        return None
