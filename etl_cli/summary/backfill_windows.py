"""The windows of a backfill, and which of them the ledger says are done."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import typer

from etl_cli.runs.ledger import Entry
from etl_cli.terminal.times import Span

MOST_WINDOWS = 10_000
_NAME = re.compile(r"(backfill-[0-9TZ]+-[0-9TZ]+)(?:-([0-9]+))?")


@dataclass(frozen=True)
class Planned:
    """A window of a backfill.

    Attributes:
        window: half-open, in UTC.
        attempt: number of the attempt that runs, or else of the next one; from 1.
        last: the ledger's entry of the attempt that has done it, or else of the last one; None before the first.
        done: whether it needs no run any more.
    """

    window: Span
    attempt: int = 1
    last: Entry | None = None
    done: bool = False


def split(span: Span, step: timedelta) -> list[Span]:
    """A span as windows of one length, the oldest first; the last ends with the span.

    Raises:
        typer.BadParameter: there would be too many.
    """
    number = -(-(span.end - span.start) // step)
    if number > MOST_WINDOWS:
        raise typer.BadParameter(
            f"that makes {number:,} windows, and {MOST_WINDOWS:,} are the most: take a longer one.", param_hint="--step"
        )
    starts = (span.start + step * position for position in range(number))
    return [Span(start, min(start + step, span.end)) for start in starts]


def attempt_name(window: Span, attempt: int) -> str:
    """The name of the execution that runs a window: always the same, so that it can't be started twice."""
    start, end = (f"{instant:%Y%m%dT%H%M%SZ}" for instant in window)
    return f"backfill-{start}-{end}" + (f"-{attempt}" if attempt > 1 else "")


def plan(windows: Iterable[Span], entries: Iterable[Entry], done_since: datetime | None = None) -> list[Planned]:
    """Hold the windows of a backfill against what earlier attempts came to.

    Args:
        windows: the backfill's windows.
        entries: all of the ledger.
        done_since: what was started earlier counts as not done; None if everything counts.
    """
    attempts: dict[str, dict[int, Entry]] = defaultdict(dict)
    for entry in entries:
        if found := _NAME.fullmatch(entry.name):
            attempts[found[1]][int(found[2] or 1)] = entry
    return [_planned(window, attempts[attempt_name(window, 1)], done_since) for window in windows]


def _planned(window: Span, attempts: dict[int, Entry], done_since: datetime | None) -> Planned:
    if not attempts:
        return Planned(window)
    for number, entry in sorted(attempts.items(), reverse=True):
        if entry.status == "SUCCEEDED" and counts(entry.started, done_since):
            return Planned(window, number, entry, done=True)
    number, last = max(attempts.items())
    return Planned(window, number if last.status == "RUNNING" else number + 1, last)


def counts(started: datetime | None, done_since: datetime | None) -> bool:
    """Whether a run that started then does a window."""
    return done_since is None or (started is not None and started >= done_since)
