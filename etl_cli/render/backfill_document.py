"""A backfill for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from etl_cli.runs.history import execution_name
from etl_cli.summary.backfill import BackfillWork, Ended
from etl_cli.summary.backfill_windows import Planned
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant

STATUSES = ("done", "failed", "running", "left")


def plan_document(span: Span, planned: Sequence[Planned]) -> dict[str, Any]:
    """A backfill that hasn't begun: how many windows have each of `STATUSES`, and all of them."""
    return _document(span, [_window(each) | _before(each) for each in planned])


def work_document(span: Span, planned: Sequence[Planned], work: BackfillWork) -> dict[str, Any]:
    """A backfill that has ended, or was interrupted, in the same form."""
    ended = {each.window: each for each in work.ended}
    windows = []
    for each in planned:
        if each.window in ended:
            shown = _ended(ended[each.window])
        elif each.window in work.running:
            shown = {"status": "running", "execution": execution_name(work.running[each.window])}
        elif each.done:
            shown = _before(each)
        else:
            shown = {"status": "left"}
        windows.append(_window(each) | shown)
    return _document(span, windows)


def _document(span: Span, windows: list[dict[str, Any]]) -> dict[str, Any]:
    tally = Counter(window["status"] for window in windows)
    bounds = {"start": format_instant(span.start), "end": format_instant(span.end)}
    return bounds | {status: tally[status] for status in STATUSES} | {"windows": windows}


def _window(planned: Planned) -> dict[str, Any]:
    return {"start": format_instant(planned.window.start), "end": format_instant(planned.window.end)}


def _before(planned: Planned) -> dict[str, Any]:
    """What the ledger has of a window."""
    last = planned.last
    if last and planned.done:
        return {"status": "done", "execution": last.name, "run": last.run, "counts": last.counts}
    if last and last.status == "RUNNING":
        return {"status": "running", "execution": last.name}
    return {"status": "left"}


def _ended(ended: Ended) -> dict[str, Any]:
    document = {
        "execution": execution_name(ended.execution),
        "run": ended.timeline.run.id if ended.timeline.run else "",
    }
    failure = ended.failure
    if failure is None:
        return {"status": "done", **document, "counts": ended.counts}
    return {"status": "failed", **document, "stage": failure.stage, "error": failure.error, "message": failure.message}
