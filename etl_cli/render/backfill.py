"""A backfill, for people and for programs: its windows before, during and after their runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.model.counts import rejected
from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.render.board import IN_ALL, Board, State, Step
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.history import execution_name
from etl_cli.runs.outcome_words import ended, untimed_words
from etl_cli.runs.progress import Snapshot
from etl_cli.summary.backfill import BackfillWork, Ended, Planned
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.formats import duration, length, plural
from etl_cli.terminal.times import Span, Times

_NOT_RUN = "left"
STATUSES = ("done", "failed", "running", _NOT_RUN)
_DATE, _MINUTE, _SECOND = 10, 16, 19  # the first characters of an instant


class BackfillBoard:
    """Shows the running windows, and the sum of all. On a terminal the lines of ended windows stay above."""

    def __init__(self, board: Board, work: BackfillWork, names: Mapping[Span, str], times: Times) -> None:
        """Show a backfill on a board without steps; ``names`` are those of `window_names`."""
        self._board, self._work, self._names, self._times = board, work, names, times
        self._started = time.monotonic()

    def show(self, window: Span, snapshot: Snapshot) -> None:
        """Show a window."""
        name, timeline = self._names[window], snapshot.timeline
        if window in self._work.running:
            if self._board.lives:  # elsewhere each look would leave a line
                begun = (snapshot.looked_at - timeline.started).total_seconds() if timeline.started else 0.0
                self._board.show(Step(name, "running", self._stage(snapshot), max(0.0, begun)))
            return
        over = next(each for each in self._work.ended if each.window == window)
        self._board.show(Step(name, "failed" if over.failure else "succeeded", _outcome(over), timeline.seconds))
        self._board.dismiss(name)

    def sum_up(self, *, ended: bool = False) -> None:
        """Show the sum of all windows."""
        work = self._work
        failed, total = len(work.failed), len(work.planned)
        parts = [f"{work.done:,} of {plural(total, 'window')}" if ended else f"{work.done:,} of {total:,}"]
        parts += [f"{failed:,} failed"] if failed else []
        if work.stopping and work.running:
            parts.append("no more are started")
        elif work.ended and not ended:
            parts += self._forecast()
        state: State = "running" if not ended else "failed" if failed else "succeeded"
        self._board.sum_up(Step(IN_ALL, state, ", ".join(parts), fraction=(work.done + failed) / total))

    def _forecast(self) -> list[str]:
        """The expected end, and the time of a window."""
        each = (time.monotonic() - self._started) / len(self._work.ended)
        now = datetime.now(UTC)
        end = now + timedelta(seconds=each * (self._work.waiting + len(self._work.running)))
        shown = self._times.bare(end)[:_MINUTE]
        if shown[:_DATE] == self._times.bare(now)[:_DATE]:
            shown = shown[_DATE + 1 :]
        return [f"until {shown} {self._times.zones([end])}", f"one in {duration(each)}"]

    def _stage(self, snapshot: Snapshot) -> str:
        steps = [step for step in stage_steps(snapshot, self._times) if step.state != "waiting"]
        return f"{steps[-1].name}: {steps[-1].detail}" if steps else "starting"


def window_names(planned: Iterable[Planned], times: Times) -> dict[Span, str]:
    """A name for each window: its start, in the shortest form that fits all."""
    starts = {each.window: times.bare(each.window.start) for each in planned}
    width = _SECOND
    if all(start.endswith(":00") for start in starts.values()):
        width = _DATE if all(start.endswith(" 00:00:00") for start in starts.values()) else _MINUTE
    return {window: start[:width] for window, start in starts.items()}


def _outcome(over: Ended) -> str:
    if over.failure:
        return f"{over.failure.stage or 'start'}: {over.failure.error}"
    return loaded(Counter(over.counts))


def added_up(windows: Iterable[Mapping[str, int]]) -> Counter[str]:
    """The sum of the counts of several windows; each has read the same items without a time."""
    counts = Counter[str]()
    for found in windows:
        most_untimed = max(counts["untimed"], found.get("untimed", 0))
        counts.update(found)
        counts["untimed"] = most_untimed
    return counts


def loaded(counts: Counter[str]) -> str:
    """The loaded records, and those in quarantine, in words."""
    number = rejected(counts)
    aside = (f", {number:,} rejected" if number else "") + untimed_words(counts["untimed"])
    return f"{counts['loaded']:,} loaded{aside}"


def print_title(console: Terminal, span: Span, planned: Sequence[Planned], step: timedelta, times: Times) -> None:
    """Print the span, and the number of its windows."""
    done = sum(each.done for each in planned)
    already = f", {done:,} done already" if done else ""
    console.print(f"  Backfill  {times.window(*span)}", soft_wrap=True)
    console.print(f"  Windows   {len(planned):,} of {length(step)}{already}", soft_wrap=True)


def print_plan(console: Terminal, planned: Sequence[Planned], times: Times) -> None:
    """List the windows, and whether each will run."""
    console.print()
    for each in planned:
        mark, style = ("✔", "green") if each.done else ("·", "dim")
        text = Text.assemble("  ", (mark, style), f" {times.window(*each.window)}  ", (_intention(each), "dim"))
        console.print(text, soft_wrap=True)


def _intention(planned: Planned) -> str:
    last = planned.last
    if last is None:
        return "to run"
    if planned.done:
        return f"done by {last.run}"
    if last.status == RUNNING:
        return f"runs as {last.name}"
    return "to run again" if last.status == SUCCEEDED else f"to run again, {ended(last.status, last.stage, last.error)}"


def print_success(console: Terminal, work: BackfillWork) -> None:
    """Print the sum of the counts."""
    total = len(work.planned)
    before = (each.last.counts for each in work.before if each.last)
    counts = added_up([*(each.counts for each in work.ended), *before])
    all_done = f"All {plural(total, 'window')} are done" if total > 1 else "The window is done"
    already = f", {len(work.before):,} of them before" if work.ended else " already"
    console.print()
    console.print(
        Text(f"  ✔ {all_done}{already if work.before else ''}: {loaded(counts)}", "bold green"), soft_wrap=True
    )
    if not work.ended:
        console.print("  To run them again: --redo")


def progress_sentence(work: BackfillWork) -> str:
    """The progress of a backfill in one sentence."""
    parts = [f"{work.done:,} of {plural(len(work.planned), 'window')} done"]
    parts += [f"{len(work.failed):,} failed"] if work.failed else []
    parts += [f"{len(work.running):,} still running"] if work.running else []
    return ", ".join([*parts, f"{work.waiting:,} left"]) + "."


def plan_document(span: Span, planned: Sequence[Planned]) -> dict[str, Any]:
    """A backfill that hasn't begun: the number of windows of each of `STATUSES`, and all windows."""
    return _document(span, [each.window.document() | _before(each) for each in planned])


def work_document(span: Span, work: BackfillWork) -> dict[str, Any]:
    """A backfill that has ended or was interrupted, in the same form."""
    over = {each.window: each for each in work.ended}
    windows = []
    for each in work.planned:
        if each.window in over:
            shown = _ended(over[each.window])
        elif each.window in work.running:
            shown = {"status": "running", "execution": execution_name(work.running[each.window])}
        else:
            shown = _before(each) if each.done else {"status": _NOT_RUN}
        windows.append(each.window.document() | shown)
    return _document(span, windows)


def _document(span: Span, windows: list[dict[str, Any]]) -> dict[str, Any]:
    tally = Counter(window["status"] for window in windows)
    return span.document() | {status: tally[status] for status in STATUSES} | {"windows": windows}


def _before(planned: Planned) -> dict[str, Any]:
    """The ledger's facts on a window."""
    last = planned.last
    if last and planned.done:
        return {"status": "done", "execution": last.name, "run": last.run, "counts": last.counts}
    if last and last.status == RUNNING:
        return {"status": "running", "execution": last.name}
    return {"status": _NOT_RUN}


def _ended(over: Ended) -> dict[str, Any]:
    document = {"execution": execution_name(over.execution), "run": over.timeline.run.id if over.timeline.run else ""}
    failure = over.failure
    if failure is None:
        return {"status": "done", **document, "counts": over.counts}
    return {"status": "failed", **document, "stage": failure.stage, "error": failure.error, "message": failure.message}
