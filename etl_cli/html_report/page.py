"""The page of a run: one file of HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from etl.model.counts import rejected
from etl_cli.costs.cost import Cost, money
from etl_cli.html_report.coverage_chart import CoverageLine, coverage_line, coverage_words, draw_coverage, span_words
from etl_cli.html_report.flow_chart import draw_flow, flow_of
from etl_cli.html_report.gantt import draw_gantt, draw_map_runs, gantt_of, workers_note, workers_words
from etl_cli.html_report.time_axis import Axis
from etl_cli.render.item import value_text
from etl_cli.render.plan import uses
from etl_cli.render.report import SAMPLE_TITLES, UNBALANCED, report_commands
from etl_cli.render.show import NO_RUN, NO_WINDOW, cost_notes
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.coverage import of_whole_table
from etl_cli.runs.failure import look_words
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.runs.outcome_words import UNTIMED, ended, verdict
from etl_cli.runs.progress import Snapshot
from etl_cli.runs.workers import MapRun, read_map_runs
from etl_cli.summary.run_summary import Account, RunSummary
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, number, plural
from etl_cli.terminal.printable import printable, visible_lines
from etl_cli.terminal.times import Times

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

LONGEST = 240
_MOST = {"most_attributes": 60, "most_reasons": 20, "most_groups": 20}
_FATES = {"+": "came", "-": "went", "~": "changed", "": ""}
_FOLDER = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """The facts of a page."""

    summary: RunSummary
    account: Account
    map_runs: list[MapRun] = field(default_factory=list)  # its Distributed Maps; empty if its Maps are inline
    coverage: CoverageLine | None  # its window on a time line; None if it has no window
    tables: tuple[str, str]
    made: datetime
    times: Times
    etl: EtlLines  # makes lines of this command, as a reader of the page types them

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        failure, counts = self.summary.failure, self.summary.counts
        if failure:
            return f"The run {ended(failure.status, failure.stage)}"
        if not self.summary.is_balanced:
            return UNBALANCED
        return verdict(counts) if counts.get("read") else "Nothing to load: no item is in the window"

    @property
    def figures(self) -> Iterator[tuple[str, str]]:
        """The numbers at the head, each after its title."""
        counts, seconds = self.summary.counts, self.summary.seconds
        for name in ("read", "loaded"):
            yield name.capitalize(), f"{counts[name]:,}" if name in counts else "none"
        yield "Rejected", f"{rejected(counts):,}" if rejected(counts) else "none"
        if untimed := counts.get("untimed"):
            yield UNTIMED.capitalize(), f"{untimed:,}"
        yield "Took", "unknown" if seconds is None else duration(seconds)
        yield "Cost", money(self.account.cost.total)

    @property
    def place(self) -> str:
        """The account and the region."""
        parts = self.summary.entry.execution.split(":")
        return f"{parts[4]}, {parts[3]}" if len(parts) > 5 else ""


def page_of(  # noqa: PLR0913 - the facts, and how to print them
    deployment: Deployment,
    summary: RunSummary,
    account: Account,
    entries: Sequence[LedgerEntry],
    *,
    now: datetime,
    times: Times,
    etl: EtlLines,
) -> Page:
    """Read the facts that the page shows and the summary doesn't have."""
    distributed = summary.timeline is not None and not summary.timeline.workers.invocations
    return Page(
        summary=summary,
        account=account,
        map_runs=read_map_runs(deployment.stepfunctions, summary.entry.execution) if distributed else [],
        coverage=coverage_line(
            summary.entry, of_whole_table(entries) if account.whole else entries, account.watermark, now
        ),
        tables=(deployment.source_table, deployment.destination_table),
        made=now,
        times=times,
        etl=etl,
    )


def render(page: Page) -> str:
    """The page as HTML."""
    summary, account, times = page.summary, page.account, page.times
    failure, sample = summary.failure, summary.contents.sample
    html: str = _TEMPLATES.get_template("report.html.j2").render(
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - it is this package's own
        page=page,
        summary=summary,
        entry=summary.entry,
        contents=summary.contents,
        account=account,
        failure=failure,
        commands=report_commands(summary, page.etl),
        look_line=page.etl.line(*look_words(failure)) if failure else "",
        span=partial(span_words, times=times),
        steps=stage_steps(Snapshot(summary.timeline), times) if summary.timeline else [],
        flow=flow_of(summary.counts, page.headline if failure else ""),
        draw_flow=draw_flow,
        draw_coverage=partial(draw_coverage, times=times),
        coverage_words=partial(coverage_words, times=times),
        changes=list(sample.compared()) if sample else [],
        fates=_FATES,
        value=partial(value_text, most=LONGEST),
        number=number,
        cost_rows=_cost_rows(account.cost, account.predicted),
        cost_note=f"US dollars. {cost_notes(account.cost, account.predicted)}",
        plural=plural,
        duration=duration,
        short=partial(printable, most=LONGEST),
        sample_titles=SAMPLE_TITLES,
        no_run=NO_RUN,
        no_window=NO_WINDOW,
        **_MOST,
        **_workers(page),
    )
    return visible_lines(html)


def _cost_rows(cost: Cost, predicted: Cost | None) -> list[tuple[str, str, str, str]]:
    """Each service with its usage, its cost and its predicted cost; the last row is the total.

    All amounts have the same number of decimals, so that their digits are aligned.
    """
    most = max(cost.total, predicted.total if predicted else cost.total)
    decimals = 6 if most < 1 else 4 if most < 100 else 2

    def dollars(amount: Decimal | None) -> str:
        return "" if amount is None else f"${amount:,.{decimals}f}"

    before = predicted.services if predicted else {}
    rows = [
        (service, uses(service, cost.usage), dollars(amount), dollars(before.get(service)))
        for service, amount in cost.services.items()
    ]
    return [*rows, ("In all", "", dollars(cost.total), dollars(predicted.total if predicted else None))]


def _workers(page: Page) -> dict[str, Any]:
    """The chart of the workers, or of the Distributed Maps, with its words."""
    timeline, gantt, drawn = page.summary.timeline, None, None
    if timeline and timeline.started:
        axis = Axis(timeline.started, timeline.stopped or page.made)
        if timeline.workers.invocations:
            gantt = gantt_of(timeline.workers.invocations, axis)
            drawn = draw_gantt(gantt, timeline)
        elif page.map_runs:
            drawn = draw_map_runs(page.map_runs, timeline, axis)
    return {
        "workers_chart": drawn,
        "workers_words": workers_words(gantt, page.map_runs),
        "workers_note": workers_note(gantt),
    }
