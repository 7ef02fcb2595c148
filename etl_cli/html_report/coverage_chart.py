"""The window of a run on a time line, above the time that runs have covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from etl_cli.html_report.scale import Axis
from etl_cli.html_report.svg import bar, chart, join, text, tick
from etl_cli.runs.coverage import OVERDUE_HOURS, Coverage, Watermark, covered_by, find_coverage, merged
from etl_cli.runs.ledger import Entry
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.words import count

DAYS = timedelta(days=30)
_MOST_TICKS = 5
_SEEN = 0.004  # of the width
# From the top, in pixels.
_OWN, _ALL, _BAR, _AXIS, _HEIGHT = 18, 58, 14, 78, 100


@dataclass(frozen=True)
class CoverageLine:
    """Thirty days, or more where the window is longer.

    Attributes:
        axis: from when to when.
        window: the run's.
        succeeded: whether the run covers it.
        covered: what runs have covered, and the coverage that follows.
        coverage: gaps and what isn't overdue yet.
    """

    axis: Axis
    window: Span
    succeeded: bool
    covered: list[Span]
    coverage: Coverage

    @property
    def pending(self) -> Span | None:
        """What isn't overdue yet, if it is long enough to be seen."""
        pending = self.coverage.pending
        return pending if pending and pending.end - pending.start > _SEEN * (self.axis.end - self.axis.start) else None

    @property
    def gaps(self) -> list[Span]:
        """The gaps on the line."""
        return [gap for gap in self.coverage.gaps if gap.start < self.axis.end and gap.end > self.axis.start]


def coverage_line(
    entry: Entry, entries: Sequence[Entry], watermark: Watermark | None, now: datetime
) -> CoverageLine | None:
    """The line of a run; None for a run without a window.

    It ends now, or with the window of a run of long ago.

    Args:
        entry: the run's.
        entries: all of the ledger.
        watermark: the ledger's.
        now: up to where time can be covered.
    """
    if entry.window is None:
        return None
    end = now if entry.window.end > now - DAYS else entry.window.end
    return CoverageLine(
        axis=Axis(min(end - DAYS, entry.window.start), end),
        window=entry.window,
        succeeded=entry.status == "SUCCEEDED",
        covered=merged(covered_by(entries, watermark)),
        coverage=find_coverage(entries, watermark, now, timedelta(hours=OVERDUE_HOURS)),
    )


def draw_coverage(line: CoverageLine, times: Times) -> Markup:
    """The line as a chart."""
    parts = [
        text(0, 12, "This run's window", "label"),
        _spans(line.axis, [line.window], _OWN, "own" if line.succeeded else "bad", times),
        text(0, _ALL - 6, "Covered by any run", "label"),
        bar(0, 1, _ALL, _BAR, "track"),
        _spans(line.axis, line.covered, _ALL, "covered", times),
        _spans(line.axis, line.gaps, _ALL, "gap", times),
    ]
    if line.pending:
        parts.append(_spans(line.axis, [line.pending], _ALL, "pending", times))
    parts += [tick(where, _ALL + _BAR, _AXIS, day) for where, day in line.axis.days(_MOST_TICKS, times)]
    days = max(1, round(line.axis.seconds / 86_400))
    told = f"Coverage of {count(days, 'day')} up to {times.instant(line.axis.end)}: {count(len(line.gaps), 'gap')}"
    return chart(told, _HEIGHT, *parts, class_="coverage")


def _spans(axis: Axis, spans: Sequence[Span], top: float, class_: str, times: Times) -> Markup:
    """Spans as bars, those that are on the line."""
    return join(
        bar(axis.at(span.start), axis.at(span.end), top, _BAR, class_, times.window(*span))
        for span in spans
        if span.start < axis.end and span.end > axis.start
    )
