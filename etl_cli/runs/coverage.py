"""The time that runs have covered, and the gaps. Spans are half-open, ``[start, end)``, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.terminal.times import Span

OVERDUE_HOURS = 25  # a night, and an hour for the run
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Coverage:
    """The result of `find_coverage`."""

    gaps: list[Span]  # time that should be covered and isn't, in order; no gap touches another
    pending: Span | None  # uncovered time after the last run that isn't overdue yet; None if there is none
    behind: Span | None  # from the watermark to the end of covered time, if runs out of order covered more


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same instants in as few spans as possible, in order."""
    found: list[Span] = []
    for span in sorted(span for span in spans if span.start < span.end):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def without(spans: Iterable[Span], removed: Iterable[Span]) -> list[Span]:
    """The instants of ``spans`` that are in none of ``removed``, merged."""
    remaining, away = [], merged(removed)
    for start, end in merged(spans):
        for other in away:
            if start < other.start < end:
                remaining.append(Span(start, other.start))
            if other.start < end:
                start = max(start, other.end)  # noqa: PLW2901 - the rest begins there
        if start < end:
            remaining.append(Span(start, end))
    return remaining


def of_whole_table(runs: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """The runs of a table without a change time: one that succeeded has also covered all windows before its own."""
    runs = list(runs)
    first = min((run.window.start for run in runs if run.window), default=EARLIEST)
    return [replace(run, window=Span(first, run.window.end)) if run.window and run.succeeded else run for run in runs]


def find_coverage(
    runs: Iterable[LedgerEntry],
    watermark: Watermark | None,
    now: datetime,
    overdue: timedelta,
    since: datetime = EARLIEST,
) -> Coverage:
    """Compare the time that runs should have covered with the time that they have covered.

    Runs should cover all time since the first scheduled run, and every window of a run. A run that is still running
    neither covers its window nor misses it. Uncovered time after the last run becomes a gap when it is ``overdue``.
    """
    runs = [run for run in runs if not run.replay]
    covered = covered_by(runs, watermark)
    asked = [run.window for run in runs if run.window and run.status not in (RUNNING, SUCCEEDED)]
    if watermark:
        asked.append(Span(watermark.since, now))
    gaps = without(asked, [*covered, Span(EARLIEST, since)])
    pending = None
    if watermark and gaps and gaps[-1].end >= now and gaps[-1].start > now - overdue:
        pending = gaps.pop()
    return Coverage(gaps, pending, _behind(merged(covered), watermark))


def covered_by(runs: Iterable[LedgerEntry], watermark: Watermark | None) -> list[Span]:
    """The windows of runs that succeeded and the time before the watermark, not merged."""
    spans = [run.window for run in runs if run.window and run.succeeded and not run.replay]
    return [*spans, Span(watermark.since, watermark.end)] if watermark else spans


def _behind(covered: list[Span], watermark: Watermark | None) -> Span | None:
    """From the watermark to the end of the covered span around it."""
    for span in covered:
        if watermark and span.start <= watermark.end < span.end:
            return Span(watermark.end, span.end)
    return None
