"""The sentences of the page that its charts and tables need."""

from __future__ import annotations

from collections.abc import Mapping

from etl_cli.costs.cost import Cost
from etl_cli.html_report.coverage_chart import CoverageLine
from etl_cli.html_report.gantt import Gantt
from etl_cli.runs.workers import MapRun
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.words import count, duration


def span_words(span: Span, times: Times) -> str:
    """A span with its length: ``2026-11-03 02:00:00 to 2026-11-04 02:00:00 UTC, 24 h 00 min``."""
    return f"{times.window(*span).replace(' → ', ' to ')}, {long_duration((span.end - span.start).total_seconds())}"


def long_duration(seconds: float) -> str:
    """How long, in days and hours where it is more than two days: ``8 days 18 h``."""
    days, rest = divmod(round(seconds), 86_400)
    if days < 2:
        return duration(seconds)
    return f"{days:,} days {rest // 3600} h" if rest >= 3600 else f"{days:,} days"


def coverage_words(line: CoverageLine, times: Times) -> str:
    """What the time line shows."""
    days = count(max(1, round(line.axis.seconds / 86_400)), "day")
    seconds = sum((gap.end - gap.start).total_seconds() for gap in line.gaps)
    missing = f"{count(len(line.gaps), 'gap')} that no run has covered, {long_duration(seconds)} in all"
    return f"In the {days} up to {times.instant(line.axis.end)}: {missing if line.gaps else 'no gaps'}."


def workers_words(gantt: Gantt | None, runs: list[MapRun]) -> str:
    """What the chart of the workers shows."""
    if gantt is None:
        why = (
            "This run's Maps are Distributed Maps: each segment was an execution with a history of its own, so that no "
            "worker is seen here, only how many segments each Map has done."
        )
        return " ".join([why, *(_lost_words(run) for run in runs if run.failed)])
    parts = [f"{count(gantt.segments, 'segment')}, {count(gantt.most_at_once, 'worker')} at once at most"]
    parts.append(f"{count(len(gantt.invocations), 'invocation')}")
    if gantt.gone_on:
        parts.append(f"{gantt.gone_on:,} of them ran low on time and left off for the next")
    if gantt.failed:
        parts.append(f"{gantt.failed:,} of them failed")
    return ", ".join(parts) + "."


def _lost_words(run: MapRun) -> str:
    return f"Of {run.stage}, {count(run.failed, 'segment')} failed or stopped."


def workers_note(gantt: Gantt | None) -> str:
    """How to read the chart of the workers."""
    clock = "The time is that since the start, in minutes and seconds."
    if gantt is None:
        return f"A bar is filled as far as its segments are done. {clock}"
    rows = "A row is a segment, by its number; a bar is an invocation of its worker, every second one lighter."
    if len(gantt.rows) < gantt.segments:
        rows = (
            f"On top, how many workers there were at once. Below, the {len(gantt.rows)} segments that took longest, by "
            "their numbers; a bar is an invocation, every second one lighter."
        )
    if gantt.failed:
        rows += " Red ones failed, and were tried again or ended the run."
    return f"{rows} {clock}"


def items_words(counts: Mapping[str, int], *, replay: bool) -> str:
    """How many items the run found."""
    read, scanned = counts["read"], counts.get("scanned", 0)
    if replay:
        return f"{count(read, 'record was', 'records were')} taken up from quarantine."
    return f"{count(scanned, 'item')} in the table, {read:,} of them in the window, or without a usable timestamp."


def cost_note(cost: Cost, predicted: Cost | None) -> str:
    """Where the numbers of the cost are from."""
    notes = [f"US dollars, at prices {cost.prices.source}."]
    if predicted:
        notes.append("Predicted is what etl plan would have said before the run, with the settings of now.")
    if cost.estimated:
        notes.append(f"Reckoned and not counted: {', '.join(name.replace('_', ' ') for name in cost.estimated)}.")
    return " ".join(notes)
