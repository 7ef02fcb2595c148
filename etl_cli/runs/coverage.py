"""Which time the runs have covered, and which they have not. Spans are half-open, ``[start, end)``, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etl_cli.terminal.times import Span

OVERDUE_HOURS = 25  # a night, and an hour for the run
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Run:
    """What the ledger knows of one execution.

    Attributes:
        status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or UNKNOWN: see ``statuses.py``.
        window: the window that it fixed; None if it ended before that.
        replay: timestamp of the run whose quarantine this one runs again; it covers no time then. Else empty.
    """

    status: str
    window: Span | None
    replay: str = ""


@dataclass(frozen=True)
class Watermark:
    """Up to where the schedule has covered everything, and from where on it answers for that."""

    since: datetime
    end: datetime


@dataclass(frozen=True)
class Coverage:
    """What is covered.

    Attributes:
        gaps: what should have been covered and isn't, in the order of time, none touching another.
        pending: what lies behind the last run and isn't overdue yet; None if there is no such time.
        behind: from the watermark to where all is covered, if that is further: windows were run out of their order.
    """

    gaps: list[Span]
    pending: Span | None
    behind: Span | None


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same instants in as few spans as there can be, in the order of time."""
    found: list[Span] = []
    for span in sorted(span for span in spans if span.start < span.end):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """The instants of ``spans`` that lie in none of ``taken``, as `merged` would give them."""
    left, away = [], merged(taken)
    for start, end in merged(spans):
        for other in away:
            if start < other.start < end:
                left.append(Span(start, other.start))
            if other.start < end:
                start = max(start, other.end)  # noqa: PLW2901 - what is left begins there
        if start < end:
            left.append(Span(start, end))
    return left


def find_coverage(
    runs: Iterable[Run],
    watermark: Watermark | None,
    now: datetime,
    overdue: timedelta,
    since: datetime = EARLIEST,
) -> Coverage:
    """Hold what should be covered against what is.

    Should be: everything since the first scheduled run, and every window that a run was to cover. A run that is still
    going covers nothing yet, and misses nothing.

    Args:
        runs: all entries of the ledger.
        watermark: None before the first scheduled run.
        now: up to where to look; no window ends later.
        overdue: how long ago uncovered time must have begun to be a gap when nothing behind it is covered.
        since: from where on to look.
    """
    runs = [run for run in runs if not run.replay]
    covered = covered_by(runs, watermark)
    asked = [run.window for run in runs if run.window and run.status not in ("RUNNING", "SUCCEEDED")]
    if watermark:
        asked.append(Span(watermark.since, now))
    gaps = without(asked, [*covered, Span(EARLIEST, since)])
    pending = None
    if watermark and gaps and gaps[-1].end >= now and gaps[-1].start > now - overdue:
        pending = gaps.pop()
    return Coverage(gaps, pending, _behind(merged(covered), watermark))


def covered_by(runs: Iterable[Run], watermark: Watermark | None) -> list[Span]:
    """The windows that runs have covered, and all that the watermark says is; as they come."""
    spans = [run.window for run in runs if run.window and run.status == "SUCCEEDED" and not run.replay]
    return [*spans, Span(watermark.since, watermark.end)] if watermark else spans


def _behind(covered: list[Span], watermark: Watermark | None) -> Span | None:
    """From the watermark to the end of what is covered around it."""
    for span in covered:
        if watermark and span.start <= watermark.end < span.end:
            return Span(watermark.end, span.end)
    return None
