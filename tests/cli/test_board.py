"""The board of steps, on a terminal and elsewhere."""

from __future__ import annotations

import io
import time

import pytest

from etl_cli.render.board import Board, Step
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.errors import UserError


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def plain() -> Terminal:
    return Terminal(file=io.StringIO(), width=80)


def lines(console: Terminal) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_without_a_terminal_each_step_leaves_one_line(clock: Clock) -> None:
    console = plain()
    with Board(console, ["Deployment", "Check"]) as board:
        board.begin("Deployment", "starting")
        clock.now += 1.5
        board.update("Deployment", "12 of 29 resources", 0.4)
        board.end("Deployment", "created")
        board.begin("Check")
        board.end("Check", "agrees")
        board.end("Check", "agrees")

    assert lines(console) == ["  ✔ Deployment    created  1.5 s", "  ✔ Check         agrees  0.0 s"]


def dumb(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on which nothing can move."""
    monkeypatch.setenv("TERM", "dumb")
    return Terminal(file=io.StringIO(), width=80, force_terminal=True, styled=False)


def test_nothing_of_a_step_that_goes_on_is_written_into_a_pipe(clock: Clock) -> None:
    console = plain()
    with Board(console, ["Load"]) as board:
        for second in range(25):
            board.update("Load", f"{second} of 30 records")
            board.sum_up(Step("in all", "running", f"{second} of 30"))
            clock.now += 1
        board.end("Load", "30 records")

    assert lines(console) == ["  ✔ Load          30 records  25.0 s"]


def test_without_a_live_board_a_long_step_prints_now_and_then(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    console = dumb(monkeypatch)
    with Board(console, ["Load"]) as board:
        for second in range(25):
            board.update("Load", f"{second} of 30 records")
            clock.now += 1

    assert lines(console) == [
        "  … Load          2 of 30 records  2.0 s",
        "  … Load          12 of 30 records  12.0 s",
        "  … Load          22 of 30 records  22.0 s",
    ]


@pytest.mark.parametrize(("error", "detail"), [(UserError("full"), "writing"), (KeyboardInterrupt(), "interrupted")])
def test_a_step_that_an_error_ends_has_failed(clock: Clock, error: BaseException, detail: str) -> None:
    console = plain()

    def begin_and_fail() -> None:
        with Board(console, ["Load"]) as board:
            board.begin("Load", "writing")
            clock.now += 1
            raise error

    with pytest.raises(type(error)):
        begin_and_fail()
    assert lines(console) == [f"  ✘ Load          {detail}  1.0 s"]


def test_time_that_something_else_has_measured_is_shown(clock: Clock) -> None:
    console = plain()
    with Board(console, ["Plan"]) as board:
        board.show(Step("Plan", "running"))
        clock.now += 10
        board.show(Step("Plan", "succeeded", "window", seconds=0.25))

    assert lines(console) == ["  ✔ Plan          window  0.2 s"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_on_a_terminal_all_steps_are_shown_within_its_width(width: int) -> None:
    console = Terminal(file=io.StringIO(), width=width, force_terminal=True, styled=False)
    with Board(console, ["Deployment", "Load", "Check"]) as board:
        board.end("Deployment", "a very long detail " * 10)
        board.update("Load", "5 of 30 records", 0.5)
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().rpartition("Deployment")[2].splitlines()

    assert [name for name in ("Load", "Check", "in all") if any(name in line for line in last)] == [
        "Load",
        "Check",
        "in all",
    ]
    assert all(len(line) <= width for line in last[1:])


def terminal(width: int = 80) -> Terminal:
    return Terminal(file=io.StringIO(), width=width, force_terminal=True, styled=False)


def frames(console: Terminal) -> list[str]:
    """All lines that a terminal was shown, one frame after the other."""
    return [line for line in Text.from_ansi("\n".join(lines(console))).plain.splitlines() if line.strip()]


def test_steps_that_go_on_without_the_board_are_left_as_they_are() -> None:
    console = terminal()

    def begin_and_interrupt() -> None:
        with Board(console, ["Load"], owns=False) as board:
            board.update("Load", "5 of 30 records", 0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begin_and_interrupt()
    assert frames(console)[-2].split()[:2] == ["…", "Load"]
    assert "5 of 30 records" in frames(console)[-2]


def test_a_step_first_shown_in_its_middle_has_its_real_age(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    console = dumb(monkeypatch)
    with Board(console, ["Load"]) as board:
        board.show(Step("Load", "running", "writing", seconds=60))
        clock.now += 1
        board.show(Step("Load", "running", "writing", seconds=99))  # which it knows better by now
        board.end("Load", "written")

    assert lines(console) == ["  … Load          writing  1 min 00 s", "  ✔ Load          written  1 min 01 s"]


def test_the_board_may_be_younger_than_its_steps(clock: Clock) -> None:
    board = Board(plain(), ["Load"])
    board.count_from(40)
    clock.now += 2

    assert board.seconds == 42


def test_a_dismissed_step_leaves_its_line_above_the_board() -> None:
    console = terminal()
    with Board(console, [], name_width=10) as board:
        board.sum_up(Step("in all", "running", "0 of 2", fraction=0))
        board.show(Step("2026-11-01", "running", "Extract: reading"))
        board.show(Step("2026-11-01", "succeeded", "37 loaded", seconds=2.5))
        board.dismiss("2026-11-01")
        board.show(Step("2026-11-02", "running", "Plan: fixing"))
        board.sum_up(Step("in all", "running", "1 of 2", fraction=0.5))

    shown = [" ".join(line.split()) for line in frames(console)]
    assert [line for line in shown if "37 loaded" in line] == ["✔ 2026-11-01 37 loaded 2.5 s"]
    assert [line.split()[1] for line in shown[-2:]] == ["2026-11-02", "in"]
    assert shown[-1].startswith("… in all ━━━━━━━━ 1 of 2")


def test_without_a_live_board_the_sum_prints_now_and_then(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    console = dumb(monkeypatch)
    with Board(console, [], name_width=10) as board:
        for done in range(14):
            board.sum_up(Step("in all", "running", f"{done} of 13"))
            clock.now += 1
        board.sum_up(Step("in all", "succeeded", "13 windows"))

    assert lines(console) == [
        "  … in all      2 of 13  2.0 s",
        "  … in all      12 of 13  12.0 s",
        "  ✔ in all      13 windows  14.0 s",
    ]


@pytest.mark.parametrize(("width", "bar"), [(80, 8), (99, 8), (100, 16), (140, 16)])
def test_the_bar_leaves_room_for_words_on_a_narrow_terminal(width: int, bar: int) -> None:
    console = terminal(width)
    with Board(console, ["Load"], owns=False) as board:
        board.update("Load", "5 of 30 records", 0.5)

    assert frames(console)[-2].count("━") == bar
