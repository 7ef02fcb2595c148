"""A board of steps: it is live on a terminal, and prints a line for each step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self

from rich.console import RenderableType
from rich.live import Live
from rich.spinner import Spinner

from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.formats import duration
from etl_cli.terminal.grid import Grid

State = Literal["waiting", "running", "succeeded", "failed"]

NAME_WIDTH = 12
IN_ALL = "in all"
WIDEST = 100
_BAR, _SHORT_BAR = 16, 8
_TIME_WIDTH, _LEAST_DETAIL = 9, 12
_FRAMES_PER_SECOND = 10
# Where the board isn't live, a long step prints a line now and then.
_FIRST_SIGN_SECONDS = 2.0
_NEXT_SIGN_SECONDS = 10.0
_MARKS: dict[State, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "running": ("…", "cyan"),
    "succeeded": ("✔", "green"),
    "failed": ("✘", "bold red"),
}


@dataclass
class Step:
    """A row of the board."""

    name: str
    state: State = "waiting"
    detail: str = ""
    seconds: float | None = None  # its duration, or its age when it is first shown; None for the board's own clock
    fraction: float | None = None  # the part that is done, from 0 to 1; None if unknown


class Board:
    """Shows steps and their durations. Use it as a context manager; its last state stays on the screen."""

    def __init__(
        self, console: Terminal, names: Sequence[str], *, name_width: int = NAME_WIDTH, owns: bool = True
    ) -> None:
        """Make a board whose steps all wait; if it ``owns`` them, an interruption ends them."""
        self._console = console
        self._name_width, self._owns = name_width, owns
        self._steps = {name: Step(name) for name in names}
        self._begun: dict[str, float] = {}
        self._started = time.monotonic()
        self._spinner: RenderableType = Spinner("dots", style="cyan")
        self._live: Live | None = None
        self._signs: dict[str, float] = {}
        self._sum: Step | None = None
        self.lives = console.lives
        if self.lives:
            self._live = Live(
                console=console,
                get_renderable=self._board,
                refresh_per_second=_FRAMES_PER_SECOND,
                redirect_stderr=False,
            )

    def __enter__(self) -> Self:
        """Show the board."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the board as it is. A running step fails with an error."""
        if error is not None and self._owns:
            for step in self._steps.values():
                if step.state == "running":
                    detail = "interrupted" if isinstance(error, (KeyboardInterrupt, SystemExit)) else step.detail
                    self.show(replace(step, state="failed", detail=detail))
        if self._live:
            self._spinner = Text(*_MARKS["running"])  # it stands still
            self._live.stop()

    def begin(self, name: str, detail: str = "") -> None:
        """Show that a step begins."""
        self.show(Step(name, "running", detail))

    def update(self, name: str, detail: str, fraction: float | None = None) -> None:
        """Show the progress of a step."""
        self.show(Step(name, "running", detail, fraction=fraction))

    def end(self, name: str, detail: str) -> None:
        """Show that a step is done."""
        self.show(Step(name, "succeeded", detail))

    def show(self, step: Step) -> None:
        """Show a step. One that the board doesn't have yet is added at the end."""
        before = self._steps.get(step.name) or Step(step.name)
        if step.state != "waiting":
            begun = self._begun.setdefault(step.name, time.monotonic() - (step.seconds or 0.0))
            if step.state == "running":
                step.seconds = None
            elif step.seconds is None:
                step.seconds = before.seconds if before.state == step.state else time.monotonic() - begun
        self._steps = self._steps | {step.name: step}  # the display's thread may be looking
        if self._live is None:
            self._print(step, changed=before.state != step.state)

    def dismiss(self, name: str) -> None:
        """Remove a step that has ended. Its result stays above the board."""
        step = self._steps[name]
        self._steps = {each: others for each, others in self._steps.items() if each != name}
        if self._live:
            self._console.print(self._table([step]))

    def sum_up(self, step: Step) -> None:
        """Show the sum of all steps below them."""
        before, self._sum = self._sum, step
        self._begun[step.name] = self._started
        if self._live is None:
            self._print(step, changed=before is None or before.state != step.state)

    def count_from(self, seconds: float) -> None:
        """Set the age of the board."""
        self._started = time.monotonic() - seconds

    @property
    def seconds(self) -> float:
        """Time since the board was made."""
        return time.monotonic() - self._started

    def _print(self, step: Step, *, changed: bool) -> None:
        if step.state == "running":
            if not self._console.is_terminal:
                return  # a pipe is read later
            now, begun = time.monotonic(), self._begun[step.name]
            if now < self._signs.setdefault(step.name, begun + _FIRST_SIGN_SECONDS):
                return
            self._signs[step.name] = now + _NEXT_SIGN_SECONDS
        elif not changed or step.state == "waiting":
            return
        mark, style = _MARKS[step.state]
        line = Text.assemble(
            "  ",
            (mark, style),
            f" {step.name:<{self._name_width}}  {step.detail}  ",
            (f"{duration(self._elapsed(step))}", "dim"),
        )
        self._console.print(line, soft_wrap=True)

    def _elapsed(self, step: Step) -> float:
        return step.seconds if step.seconds is not None else time.monotonic() - self._begun[step.name]

    def _board(self) -> RenderableType:
        if self._sum:
            return self._table([*self._steps.values(), self._sum])
        table = self._table(self._steps.values())
        table.add_row("", "", Text(IN_ALL, "dim", justify="right"), Text(duration(self.seconds), "dim"))
        return table

    def _table(self, steps: Iterable[Step]) -> Grid:
        width, steps = min(self._console.width, WIDEST), list(steps)
        longest = max((len(duration(self._elapsed(step))) for step in steps if step.state != "waiting"), default=0)
        longest = max(longest, len(duration(self.seconds)), _TIME_WIDTH)
        table = Grid()
        table.whole("right", least=3)
        table.whole(least=self._name_width)
        table.text(width=max(_LEAST_DETAIL, width - self._name_width - longest - 6))
        table.whole("right", least=longest)
        for step in steps:
            mark, style = _MARKS[step.state]
            shown = self._spinner if step.state == "running" else Text(mark, style)
            dim = "dim" if step.state == "waiting" else ""
            time_text = "" if step.state == "waiting" else duration(self._elapsed(step))
            detail = _detail(step, _BAR if width == WIDEST else _SHORT_BAR)
            table.add_row(shown, Text(step.name, dim), detail, Text(time_text, "dim"))
        return table


def _detail(step: Step, bar: int) -> Text:
    text = Text(step.detail, "" if step.state == "succeeded" else "red" if step.state == "failed" else "dim")
    if step.fraction is None or step.state != "running":
        return text
    filled = round(max(0.0, min(1.0, step.fraction)) * bar)
    return Text.assemble(("━" * filled, "cyan"), ("━" * (bar - filled), "bright_black"), "  ", text)
