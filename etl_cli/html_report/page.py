"""Puts the page of a run together: what the template prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from etl.model.counts import rejected
from etl_cli.costs.cost import money
from etl_cli.html_report.coverage_chart import draw_coverage
from etl_cli.html_report.facts import RunFacts
from etl_cli.html_report.flow import Flow, flow_of
from etl_cli.html_report.flow_chart import draw_flow
from etl_cli.html_report.gantt import Gantt, draw_gantt, draw_map_runs, gantt_of
from etl_cli.html_report.scale import Axis
from etl_cli.html_report.tables import (
    LONGEST,
    MOST_ATTRIBUTES,
    MOST_REASONS,
    Attribute,
    aggregate_tables,
    changes_of,
    cost_rows,
)
from etl_cli.html_report.words import cost_note, coverage_words, items_words, span_words, workers_note, workers_words
from etl_cli.render.board import Step
from etl_cli.render.report import SAMPLE_TITLES
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.counts import UNTIMED, untimed_words
from etl_cli.runs.failure import look_words
from etl_cli.runs.progress import Snapshot
from etl_cli.runs.statuses import ended
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.printable import printable, visible_lines
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.words import count, duration

_FOLDER = Path(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(facts: RunFacts, times: Times, etl: EtlLines, *, with_items: bool = True) -> str:
    """The page of a run, as HTML.

    Args:
        facts: what is known of it.
        times: prints instants.
        etl: makes lines of this command, as the reader of the page types them.
        with_items: whether it shows contents of items: one before and after, what was found in rejected ones, groups of
            aggregates.
    """
    if not with_items:
        facts = replace(facts, contents=facts.contents.without_items())
    html: str = _TEMPLATES.get_template("report.html.j2").render(
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - it is this package's own
        page=Page(facts, times, etl, with_items),
        facts=facts,
        contents=facts.contents,
        cost=facts.record.cost,
        predicted=facts.record.predicted,
        failure=facts.record.failure,
        times=times,
        etl=etl,
        count=count,
        duration=duration,
        short=partial(printable, most=LONGEST),
        aggregate_tables=aggregate_tables,
        most_reasons=MOST_REASONS,
        most_attributes=MOST_ATTRIBUTES,
        sample_titles=SAMPLE_TITLES,
        cost_rows=cost_rows,
    )
    return visible_lines(html)


class Figure(NamedTuple):
    """One of the numbers at the head: what it counts, and what it is."""

    name: str
    value: str


@dataclass(frozen=True)
class Page:
    """What the page says that isn't there as it is read.

    Attributes:
        facts: what is known of the run.
        times: prints instants.
        etl: makes lines of this command.
        with_items: whether contents of items are shown.
    """

    facts: RunFacts
    times: Times
    etl: EtlLines
    with_items: bool

    @property
    def is_fine(self) -> bool:
        """Whether the run succeeded, and its numbers add up."""
        report = self.facts.record.report
        return report is not None and all(equation.holds for equation in report.balance())

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        counts, failure = self.facts.counts, self.facts.record.failure
        if failure:
            return f"The run {ended(failure.status, failure.stage)}"
        if not self.is_fine:
            return "The run succeeded, and its counts don't add up"
        if not counts.get("read"):
            return "Nothing to load: no item lay in the window"
        number = rejected(counts)
        left = (f"{number:,} rejected" if number else "none rejected") + untimed_words(counts.get("untimed", 0))
        return f"{counts.get('loaded', 0):,} loaded, {left}, nothing unaccounted for"

    @property
    def figures(self) -> Iterator[Figure]:
        """The numbers at the head."""
        record, counts = self.facts.record, self.facts.counts
        seconds = self.seconds
        for name in ("read", "loaded"):
            yield Figure(name.capitalize(), f"{counts[name]:,}" if name in counts else "none")
        number = rejected(counts)
        yield Figure("Rejected", f"{number:,}" if number else "none")
        if untimed := counts.get("untimed"):
            yield Figure(UNTIMED.capitalize(), f"{untimed:,}")
        yield Figure("Took", "unknown" if seconds is None else duration(seconds))
        yield Figure("Cost", money(record.cost.total))

    @property
    def seconds(self) -> float | None:
        """How long the run took."""
        return self.facts.record.entry.seconds or (self.facts.timeline.seconds if self.facts.timeline else None)

    @property
    def window(self) -> str:
        """The window with its length; empty for a run without one."""
        window = self.facts.record.entry.window
        return self.span(window) if window else ""

    @property
    def place(self) -> str:
        """The account and the region."""
        parts = self.facts.record.entry.execution.split(":")
        return f"{parts[4]}, {parts[3]}" if len(parts) > 5 else ""

    def span(self, span: Span) -> str:
        """A span of time in words."""
        return span_words(span, self.times)

    @property
    def look_line(self) -> str:
        """The line that shows more of the failure."""
        failure = self.facts.record.failure
        return self.etl.line(*look_words(failure)) if failure else ""

    @property
    def steps(self) -> list[Step]:
        """The states of the workflow, each with its outcome."""
        timeline = self.facts.timeline
        return stage_steps(Snapshot(timeline), self.times) if timeline else []

    @property
    def coverage_chart(self) -> Markup:
        """The window on the time line; nothing for a run without one."""
        return draw_coverage(self.facts.coverage, self.times) if self.facts.coverage else Markup()

    @property
    def coverage_words(self) -> str:
        """What the time line shows."""
        return coverage_words(self.facts.coverage, self.times) if self.facts.coverage else ""

    @cached_property
    def gantt(self) -> Gantt | None:
        """Who worked when; None if the history doesn't say."""
        timeline = self.facts.timeline
        if timeline is None or self._axis is None or not timeline.invocations:
            return None
        return gantt_of(timeline.invocations, self._axis)

    @property
    def workers_chart(self) -> Markup | None:
        """Who worked when, or how far each Distributed Map came."""
        timeline, runs = self.facts.timeline, self.facts.map_runs
        if timeline is None or self._axis is None:
            return None
        if self.gantt:
            return draw_gantt(self.gantt, timeline)
        return draw_map_runs(runs, timeline, self._axis) if runs else None

    @property
    def workers_words(self) -> str:
        """What that chart shows."""
        return workers_words(self.gantt, self.facts.map_runs)

    @property
    def workers_note(self) -> str:
        """How to read it."""
        return workers_note(self.gantt)

    @property
    def _axis(self) -> Axis | None:
        timeline = self.facts.timeline
        if timeline is None or timeline.started is None:
            return None
        return Axis(timeline.started, timeline.stopped or self.facts.made)

    @cached_property
    def flow(self) -> Flow:
        """Where the items went."""
        return flow_of(self.facts.counts, self.headline if self.facts.record.failure else "")

    @property
    def flow_chart(self) -> Markup:
        """The same as a chart."""
        return draw_flow(self.flow)

    @property
    def items_words(self) -> str:
        """How many items there were; only of a run that read some."""
        return items_words(self.facts.counts, replay=bool(self.facts.record.entry.replay))

    @property
    def changes(self) -> list[Attribute]:
        """The item before and after."""
        sample = self.facts.contents.sample
        return list(changes_of(sample)) if sample else []

    @property
    def rejections_counted(self) -> int:
        """How many rejected items were looked at."""
        return sum(each.count for each in self.facts.contents.rejections)

    @property
    def cost_note(self) -> str:
        """Where the cost's numbers are from."""
        return cost_note(self.facts.record.cost, self.facts.record.predicted)

    @property
    def lines(self) -> Iterator[tuple[str, str]]:
        """Lines of this command that show more of the run, after what each shows."""
        entry = self.facts.record.entry
        name = entry.label
        yield "All that is known of the run", self.etl.line("show", name)
        if self.facts.contents.rejections:
            yield "Its quarantine, item by item", self.etl.line("quarantine", "show", name)
        yield "Its logs", self.etl.line("logs", "--run", name)
