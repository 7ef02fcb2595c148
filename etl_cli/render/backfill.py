"""What a backfill shows: its windows before anything runs, those that run, and what it came to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from etl.model.counts import rejected
from etl_cli.render.board import IN_ALL, Board, State, Step
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.phrases import ended, untimed_words
from etl_cli.runs.progress import Snapshot
from etl_cli.summary.backfill import BackfillWork, Ended
from etl_cli.summary.backfill_windows import Planned
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.words import count, duration, length

_DATE, _MINUTE, _SECOND = 10, 16, 19  # so many characters of an instant


class BackfillBoard:
    """Shows the windows that run, and what all come to; on a terminal lines of those that ended stay above."""

    def __init__(self, board: Board, work: BackfillWork, names: Mapping[Span, str], times: Times) -> None:
        """Show a backfill.

        Args:
            board: where; without steps.
            work: the backfill.
            names: the windows' names, see `window_names`.
            times: how to print instants.
        """
        self._board, self._work, self._names, self._times = board, work, names, times
        self._total = len(work.before) + len(work.left)
        self._started = time.monotonic()

    def show(self, window: Span, snapshot: Snapshot) -> None:
        """A window is as it was looked at."""
        name, timeline = self._names[window], snapshot.timeline
        if window in self._work.running:
            if self._board.lives:  # elsewhere each would leave lines behind
                begun = (snapshot.looked_at - timeline.started).total_seconds() if timeline.started else 0.0
                self._board.show(Step(name, "running", self._stage(snapshot), max(0.0, begun)))
            return
        ended = next(each for each in self._work.ended if each.window == window)
        self._board.show(Step(name, "failed" if ended.failure else "succeeded", _outcome(ended), timeline.seconds))
        self._board.dismiss(name)

    def sum_up(self, *, ended: bool = False) -> None:
        """Show what all windows come to."""
        failed = len(self._work.failed)
        done = len(self._work.before) + len(self._work.ended) - failed
        parts = [f"{done:,} of {count(self._total, 'window')}" if ended else f"{done:,} of {self._total:,}"]
        parts += [f"{failed:,} failed"] if failed else []
        if self._work.stopping and self._work.running:
            parts.append("no more are started")
        elif self._work.ended and not ended:
            parts += self._forecast()
        state: State = "running" if not ended else "failed" if failed else "succeeded"
        self._board.sum_up(Step(IN_ALL, state, ", ".join(parts), fraction=(done + failed) / self._total))

    def _forecast(self) -> list[str]:
        """When it will be over, and how fast it goes."""
        each = (time.monotonic() - self._started) / len(self._work.ended)
        now = datetime.now(UTC)
        end = now + timedelta(seconds=each * (len(self._work.left) + len(self._work.running)))
        shown = self._times.bare(end)[:_MINUTE]
        if shown[:_DATE] == self._times.bare(now)[:_DATE]:
            shown = shown[_DATE + 1 :]
        return [f"until {shown} {self._times.zones([end])}", f"one in {duration(each)}"]

    def _stage(self, snapshot: Snapshot) -> str:
        steps = [step for step in stage_steps(snapshot, self._times) if step.state != "waiting"]
        return f"{steps[-1].name}: {steps[-1].detail}" if steps else "starting"


def window_names(planned: Iterable[Planned], times: Times) -> dict[Span, str]:
    """What to call each window: its start, as briefly as that can be said for all."""
    starts = {each.window: times.bare(each.window.start) for each in planned}
    width = _SECOND
    if all(start.endswith(":00") for start in starts.values()):
        width = _DATE if all(start.endswith(" 00:00:00") for start in starts.values()) else _MINUTE
    return {window: start[:width] for window, start in starts.items()}


def _outcome(ended: Ended) -> str:
    if ended.failure:
        return f"{ended.failure.stage or 'start'}: {ended.failure.error}"
    return loaded(Counter(ended.counts))


def added_up(windows: Iterable[Mapping[str, int]]) -> Counter[str]:
    """The counts of several windows; each has read all items without a time, so those are the same ones."""
    counts = Counter[str]()
    for found in windows:
        most_untimed = max(counts["untimed"], found.get("untimed", 0))
        counts.update(found)
        counts["untimed"] = most_untimed
    return counts


def loaded(counts: Counter[str]) -> str:
    """How much was loaded, and how much set aside."""
    number = rejected(counts)
    aside = (f", {number:,} rejected" if number else "") + untimed_words(counts["untimed"])
    return f"{counts['loaded']:,} loaded{aside}"


def print_title(console: Terminal, span: Span, planned: Sequence[Planned], step: timedelta, times: Times) -> None:
    """Say what is to be done."""
    done = sum(each.done for each in planned)
    already = f", {done:,} done already" if done else ""
    console.print(f"  Backfill  {times.window(*span)}", soft_wrap=True)
    console.print(f"  Windows   {len(planned):,} of {length(step)}{already}", soft_wrap=True)


def print_plan(console: Terminal, planned: Sequence[Planned], times: Times) -> None:
    """List the windows, and what is to become of each."""
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
    if last.status == "RUNNING":
        return f"runs as {last.name}"
    return (
        "to run again" if last.status == "SUCCEEDED" else f"to run again, {ended(last.status, last.stage, last.error)}"
    )
