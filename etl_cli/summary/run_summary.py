"""The summary of a run, which all commands render that show one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from etl.model.instants import parse_instant
from etl.model.statuses import RUNNING, SUCCEEDED, UNKNOWN
from etl_cli.costs.capacity_inputs import CapacitySettings
from etl_cli.costs.cost import Cost, cost_of
from etl_cli.costs.deployed import Deployed, read_deployed
from etl_cli.costs.planning import predicted_cost
from etl_cli.costs.prices import price_list
from etl_cli.runs.console_links import console_links
from etl_cli.runs.coverage import covered_by, of_whole_table, without
from etl_cli.runs.failure import Failure, explain, explain_entry
from etl_cli.runs.history import Timeline, execution_name, read_new
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.summary.balance import BalanceLine, balance_of
from etl_cli.summary.contents import Contents, read_contents, read_staged
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class Account:
    """The cost of a run, and the effect of its failure."""

    missing: list[Span] = field(default_factory=list)  # the parts of a failed run's window that no run has covered
    watermark: Watermark | None = None
    cost: Cost
    predicted: Cost | None = None  # the cost that `etl plan` would have predicted; None if that can't be said
    links: dict[str, str] = field(default_factory=dict)
    whole: bool = False  # whether each run reads the whole table


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One run."""

    entry: LedgerEntry  # its entry in the ledger, or the same facts from its history
    timeline: Timeline | None  # its history; None if Step Functions has forgotten it, 90 days after its end
    failure: Failure | None = None
    contents: Contents = field(default_factory=Contents)

    @property
    def status(self) -> str:
        """Its status by Step Functions; by the ledger if Step Functions has forgotten the run."""
        return self.timeline.status if self.timeline else self.entry.status

    @property
    def succeeded(self) -> bool:
        """Whether it has succeeded, so that there is a report of it."""
        return self.entry.succeeded and self.entry.window is not None

    @property
    def counts(self) -> dict[str, int]:
        """Its counts by name. Those of a failed run are from the workers that ended."""
        return self.entry.counts or (self.timeline.counts if self.timeline else {})

    @property
    def seconds(self) -> float | None:
        """Its duration; None unless it has ended."""
        return self.entry.seconds or (self.timeline.seconds if self.timeline else None)

    @property
    def stage_seconds(self) -> dict[str, float]:
        """The durations of the stages that have ended, by name; empty if Step Functions has forgotten them."""
        stages = self.timeline.stages.values() if self.timeline else ()
        return {stage.name: stage.seconds for stage in stages if stage.seconds is not None}

    @property
    def balance(self) -> list[BalanceLine]:
        """The lines of its balance."""
        return balance_of(self.counts, replay=bool(self.entry.replay))

    @property
    def is_balanced(self) -> bool:
        """Whether it has succeeded and its counts add up."""
        return self.succeeded and all(line.holds for line in self.balance)


def summarize(deployment: Deployment, entry: LedgerEntry) -> RunSummary:
    """Put together the summary of a run by its entry in the ledger, without its contents."""
    timeline = _timeline(deployment, entry)
    return RunSummary(entry=entry, timeline=timeline, failure=_failure(deployment, entry, timeline))


def summarize_followed(deployment: Deployment, execution: str, timeline: Timeline) -> RunSummary:
    """Put together the summary of a run, by its ARN, that was followed until it succeeded, with its contents.

    Raises:
        UserError: an object of the run isn't in the bucket any more.
    """
    output = timeline.output
    window = Span(*(parse_instant(output["window"][name]) for name in ("start", "end")))
    entry = LedgerEntry(
        status=SUCCEEDED,
        window=window,
        replay=output.get("replay", ""),
        name=execution_name(execution),
        execution=execution,
        started=timeline.started,
        run=output["run"],
        finished=timeline.stopped,
        segments=timeline.segments,
        counts=output["counts"],
    )
    contents = read_staged(deployment, entry.run, output["keys"])
    return RunSummary(entry=entry, timeline=timeline, contents=contents)


def with_contents(deployment: Deployment, summary: RunSummary, *, items: bool = True) -> RunSummary:
    """Add the contents of a run in the bucket; without contents of items if ``items`` is false."""
    contents = read_contents(deployment, summary.entry.run, summary.timeline)
    return replace(summary, contents=contents if items else contents.without_items())


def account_of(
    deployment: Deployment, summary: RunSummary, entries: Sequence[LedgerEntry], watermark: Watermark | None
) -> Account:
    """The cost of a run, and the effect of its failure."""
    entry = summary.entry
    uncovered = [entry.window] if summary.failure and entry.window else []
    deployed = _deployed(deployment)
    prices = price_list(deployment.dynamodb.meta.region_name)
    whole = deployed is not None and deployed.schema.time.format == "none"
    return Account(
        missing=without(uncovered, covered_by(of_whole_table(entries) if whole else entries, watermark)),
        watermark=watermark,
        whole=whole,
        cost=cost_of(entry, summary.timeline, prices, deployed.capacity if deployed else CapacitySettings()),
        predicted=predicted_cost(entry, entries, deployed, prices) if deployed else None,
        links=console_links(deployment, entry),
    )


def _timeline(deployment: Deployment, entry: LedgerEntry) -> Timeline | None:
    stepfunctions, timeline = deployment.stepfunctions, Timeline()
    try:
        description = stepfunctions.describe_execution(executionArn=entry.execution)
        read_new(stepfunctions, entry.execution, timeline)
    except stepfunctions.exceptions.ExecutionDoesNotExist:
        return None
    if description["status"] != RUNNING:
        timeline.close(description)
    return timeline


def _failure(deployment: Deployment, entry: LedgerEntry, timeline: Timeline | None) -> Failure | None:
    if entry.status in (RUNNING, UNKNOWN) and timeline and timeline.status not in (RUNNING, SUCCEEDED):
        return explain(deployment, entry.execution, timeline)  # the ledger doesn't have the end yet
    return None if entry.status in (RUNNING, SUCCEEDED) else explain_entry(deployment, entry)


def _deployed(deployment: Deployment) -> Deployed | None:
    """The pipeline's settings; None without the permission to read them: the run can still be shown."""
    try:
        return read_deployed(deployment)
    except (UserError, BotoCoreError, ClientError):
        return None
