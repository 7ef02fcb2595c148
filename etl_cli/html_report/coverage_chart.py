"""The window of a run on a time line, above the time that runs have covered, as a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from etl_cli.html_report.svg import bar, chart, join, text, tick
from etl_cli.html_report.time_axis import Axis
from etl_cli.runs.coverage import OVERDUE_HOURS, Coverage, covered_by, find_coverage, merged
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.terminal.formats import duration, plural
from etl_cli.terminal.times import Span, Times

DAYS = timedelta(days=30)
_MOST_TICKS = 5
_VISIBLE = 0.004  # of the width
# From the top, in pixels.
_OWN, _ALL, _BAR, _AXIS, _HEIGHT = 18, 58, 14, 78, 100


@dataclass(frozen=True)
class CoverageLine:
    """Thirty days, or more if the window is longer."""

    axis: Axis
    window: Span
    succeeded: bool  # whether the run covers its window
    covered: list[Span]
    coverage: Coverage

    @property
    def pending(self) -> Span | None:
        """The time that isn't overdue yet, if it is long enough to be visible."""
        pending = self.coverage.pending
        return (
            pending if pending and pending.end - pending.start > _VISIBLE * (self.axis.end - self.axis.start) else None
        )

    @property
    def gaps(self) -> list[Span]:
        """The gaps on the line."""
        return [gap for gap in self.coverage.gaps if gap.start < self.axis.end and gap.end > self.axis.start]


def coverage_line(
    entry: LedgerEntry, entries: Sequence[LedgerEntry], watermark: Watermark | None, now: datetime
) -> CoverageLine | None:
    """The line of a run; None for a run without a window. It ends now, or with the window of an old run."""
    if entry.window is None:
        return None
    end = now if entry.window.end > now - DAYS else entry.window.end
    return CoverageLine(
        axis=Axis(min(end - DAYS, entry.window.start), end),
        window=entry.window,
        succeeded=entry.succeeded,
        covered=merged(covered_by(entries, watermark)),
        coverage=find_coverage(entries, watermark, now, timedelta(hours=OVERDUE_HOURS)),
    )


def draw_coverage(line: CoverageLine, times: Times) -> Markup:
    """Draw the line."""
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
    described = (
        f"Coverage of {plural(days, 'day')} up to {times.instant(line.axis.end)}: {plural(len(line.gaps), 'gap')}"
    )
    return chart(described, _HEIGHT, *parts, class_="coverage")


def _spans(axis: Axis, spans: Sequence[Span], top: float, class_: str, times: Times) -> Markup:
    """The spans that are on the line, as bars."""
    return join(
        bar(axis.at(span.start), axis.at(span.end), top, _BAR, class_, times.window(*span))
        for span in spans
        if span.start < axis.end and span.end > axis.start
    )


def span_words(span: Span, times: Times) -> str:
    """A span with its length: ``2026-11-03 02:00:00 to 2026-11-04 02:00:00 UTC, 24 h 00 min``."""
    return f"{times.window(*span).replace(' → ', ' to ')}, {long_duration((span.end - span.start).total_seconds())}"


def long_duration(seconds: float) -> str:
    """A duration, in days and hours from two days on: ``8 days 18 h``."""
    days, rest = divmod(round(seconds), 86_400)
    if days < 2:
        return duration(seconds)
    return f"{days:,} days {rest // 3600} h" if rest >= 3600 else f"{days:,} days"


def coverage_words(line: CoverageLine, times: Times) -> str:
    """The gaps on the line, in words."""
    days = plural(max(1, round(line.axis.seconds / 86_400)), "day")
    seconds = sum((gap.end - gap.start).total_seconds() for gap in line.gaps)
    missing = f"{plural(len(line.gaps), 'gap')} that no run has covered, {long_duration(seconds)} in all"
    return f"In the {days} up to {times.instant(line.axis.end)}: {missing if line.gaps else 'no gaps'}."
