"""`etl backfill`: its windows, what it runs, where it goes on, and how it ends."""

from __future__ import annotations

import io
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner, Result

from etl_cli.aws.deployment import Deployment
from etl_cli.commands import backfill as verb
from etl_cli.commands.backfill import backfill
from etl_cli.render.backfill import BackfillBoard, added_up, loaded, window_names
from etl_cli.render.board import Board
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.summary.backfill import BackfillWork, Planned, attempt_name, plan, split
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Span, Times
from tests.cli.test_plan import SETTINGS
from tests.docs.examples import example
from tests.fakes.aws import ROOM, RefusalError
from tests.fakes.state_machine import FakeStateMachine

FIVE_DAYS = ("--from", "2026-11-01", "--to", "2026-11-06")
THIRD = "2026-11-03T00:00:00Z"


def etl_backfill(*options: str, answer: str = "") -> Result:
    app = typer.Typer()
    app.command()(backfill)
    return CliRunner().invoke(app, options, input=answer)


def day(number: int, attempt: int = 1) -> str:
    """The name of the execution that runs a day of November."""
    return attempt_name(Span(at(number), at(number + 1)), attempt)


def at(day: int) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC)


def failing(*starts: str) -> Any:
    """A course of executions: those of the windows with these starts fail."""
    return lambda given: "failed_at_gate" if given.get("start") in starts else "succeeded"


def statuses(result: Result) -> list[str]:
    return [window["status"] for window in json.loads(result.stdout)["windows"]]


def names(machine: FakeStateMachine) -> list[str]:
    return list(machine.executions)


def test_windows_run_one_at_a_time_the_oldest_first(machine: FakeStateMachine) -> None:
    result = etl_backfill(*FIVE_DAYS)

    assert result.exit_code == 0, result.exception
    assert [execution.given for execution in machine.executions.values()] == [
        {"start": f"2026-11-0{number}T00:00:00Z", "end": f"2026-11-0{number + 1}T00:00:00Z"} for number in range(1, 6)
    ]
    assert names(machine) == [day(number) for number in range(1, 6)]
    assert machine.most_running == 1


@pytest.mark.usefixtures("machine")
def test_it_says_what_each_window_came_to_and_all_of_them() -> None:
    lines = etl_backfill(*FIVE_DAYS).stdout.splitlines()

    assert lines[:2] == ["  Backfill  2026-11-01 00:00:00 → 2026-11-06 00:00:00 UTC", "  Windows   5 of 1 day"]
    windows = [line for line in lines if line.startswith("  ✔ 2026-11-0")]
    assert [line.split()[1:5] for line in windows] == [
        [f"2026-11-0{number}", "37", "loaded,", "1"] for number in range(1, 6)
    ]
    assert lines[-1] == "  ✔ All 5 windows are done: 185 loaded, 5 rejected"


def test_items_without_a_time_are_the_same_ones_in_each_window() -> None:
    windows = [{"loaded": 3, "untimed": 10}, {"loaded": 4, "untimed": 11}, {"loaded": 5}]

    assert loaded(added_up(windows)) == "12 loaded, 11 without a time"


@pytest.mark.parametrize(("parallel", "most"), [(3, 3), (9, 5)])
def test_so_many_windows_run_at_once(machine: FakeStateMachine, parallel: int, most: int) -> None:
    assert etl_backfill(*FIVE_DAYS, "--parallel", str(parallel)).exit_code == 0

    assert machine.most_running == most
    assert len(machine.executions) == 5
    # The growth of the destination table would be that of all of them.
    assert "dynamodb.DescribeTable" not in machine.aws.calls


def test_the_first_failure_ends_it(machine: FakeStateMachine) -> None:
    machine.course = failing(THIRD)
    result = etl_backfill(*FIVE_DAYS)

    assert result.exit_code == 1
    assert names(machine) == [day(1), day(2), day(3)]
    out = result.stdout
    assert "✘ 2026-11-03  Gate: QualityGateError" in out
    assert "  2026-11-03 00:00:00 → 2026-11-04 00:00:00 UTC\n\n  ✘ The run failed at Gate: QualityGateError" in out
    assert "  2 of 5 windows done, 1 failed, 2 left.\n" in out
    assert out.splitlines()[-1].endswith("etl backfill --from 2026-11-01 --to 2026-11-06 --step 1d")


def test_after_a_failure_those_that_run_may_end(machine: FakeStateMachine) -> None:
    machine.course = failing("2026-11-01T00:00:00Z")
    machine.on_start = lambda execution: setattr(execution, "looks", 1 if execution.name == day(1) else 5)
    result = etl_backfill(*FIVE_DAYS, "--parallel", "2", "--json")

    assert statuses(result) == ["failed", "done", "left", "left", "left"]
    assert {execution.status for execution in machine.executions.values()} == {"FAILED", "SUCCEEDED"}


def test_it_goes_on_after_a_failure_if_asked_to(machine: FakeStateMachine) -> None:
    machine.course = failing(THIRD)
    result = etl_backfill(*FIVE_DAYS, "--keep-going", "--json")

    assert result.exit_code == 1
    assert statuses(result) == ["done", "done", "failed", "done", "done"]
    document = json.loads(result.stdout)
    assert (document["done"], document["failed"], document["running"], document["left"]) == (4, 1, 0, 0)
    assert document["windows"][2]["error"] == "QualityGateError"
    assert document["windows"][0]["counts"]["loaded"] == 37
    assert document["again"].endswith("--step 1d --keep-going")


def test_started_again_it_goes_on_where_it_failed(machine: FakeStateMachine) -> None:
    machine.course = failing(THIRD)
    etl_backfill(*FIVE_DAYS)
    machine.course = failing()
    result = etl_backfill(*FIVE_DAYS)

    assert names(machine) == [day(1), day(2), day(3), day(3, attempt=2), day(4), day(5)]
    assert "5 of 1 day, 2 done already" in result.stdout
    assert "✔ All 5 windows are done, 2 of them before: 185 loaded, 5 rejected" in result.stdout


def test_what_is_done_is_not_run_again(machine: FakeStateMachine) -> None:
    etl_backfill(*FIVE_DAYS)
    result = etl_backfill(*FIVE_DAYS)

    assert len(machine.executions) == 5
    assert result.exit_code == 0
    assert "in all" not in result.stdout
    assert result.stdout.endswith(
        "✔ All 5 windows are done already: 185 loaded, 5 rejected\n  To run them again: --redo\n"
    )


def test_other_windows_are_not_done_by_it(machine: FakeStateMachine) -> None:
    etl_backfill(*FIVE_DAYS)
    etl_backfill(*FIVE_DAYS, "--step", "12h")

    assert len(machine.executions) == 15


def test_a_redo_continues_without_the_windows_it_has_redone(machine: FakeStateMachine) -> None:
    etl_backfill(*FIVE_DAYS)
    machine.now = datetime.now(UTC)
    machine.course = failing(THIRD)
    document = json.loads(etl_backfill(*FIVE_DAYS, "--redo", "--json").stdout)
    machine.course = failing()
    _, _, options = document["again"].partition("etl backfill ")
    etl_backfill(*options.split())

    assert "--done-since" in options
    assert names(machine)[5:] == [day(1, 2), day(2, 2), day(3, 2), day(3, 3), day(4, 2), day(5, 2)]


def test_a_redo_runs_again_what_the_ledger_does_not_know(machine: FakeStateMachine) -> None:
    machine.begin(day(1)).status = "SUCCEEDED"
    machine.unrecorded = {day(1)}
    machine.now = datetime.now(UTC) + timedelta(minutes=1)
    etl_backfill("--from", "2026-11-01", "--to", "2026-11-02", "--redo")

    assert names(machine) == [day(1), day(1, 2)]


def test_the_last_attempt_counts_unless_an_earlier_one_is_done() -> None:
    first, second = split(Span(at(1), at(3)), timedelta(days=1))
    entries = [
        LedgerEntry("FAILED", first, name=day(1, 2)),
        LedgerEntry("FAILED", first, name=day(1)),
        LedgerEntry("SUCCEEDED", second, name=day(2)),
        LedgerEntry("ABORTED", second, name=day(2, 2)),
        LedgerEntry("SUCCEEDED", first, name="run-20261124T211314Z-3f9a"),
    ]

    assert plan([first, second], entries) == [
        Planned(first, 3, entries[0]),
        Planned(second, 1, entries[2], done=True),
    ]


def test_what_was_done_since_a_time_is_not_run_again(machine: FakeStateMachine) -> None:
    etl_backfill(*FIVE_DAYS)
    since = machine.executions[day(4)].started
    result = etl_backfill(*FIVE_DAYS, "--done-since", f"{since:%Y-%m-%dT%H:%M:%SZ}", "--dry-run", "--json")

    assert statuses(result) == ["left", "left", "left", "done", "done"]


def test_an_interrupt_leaves_runs_going_and_says_how_to_continue(machine: FakeStateMachine) -> None:
    machine.on_start = lambda _: setattr(machine, "refuse", KeyboardInterrupt())
    machine.begin(day(1)).status = "SUCCEEDED"
    result = etl_backfill(*FIVE_DAYS, "--parallel", "2", "--region", "eu-west-1", "--json")

    assert result.exit_code == 130
    said = result.stderr.split("interrupted: ")[1].splitlines()
    assert said[0] == "1 of 5 windows done, 2 still running, 2 left."
    assert said[2].endswith(f"etl watch {day(2)} --region eu-west-1")
    assert said[3].endswith(f"etl watch {day(3)} --region eu-west-1")
    assert said[5].endswith("etl backfill --from 2026-11-01 --to 2026-11-06 --step 1d --parallel 2 --region eu-west-1")
    assert statuses(result) == ["done", "running", "running", "left", "left"]


def test_started_again_it_takes_up_what_still_runs(machine: FakeStateMachine) -> None:
    machine.begin(day(1), {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"})
    result = etl_backfill(*FIVE_DAYS)

    assert names(machine) == [day(number) for number in range(1, 6)]
    assert "✔ All 5 windows are done: 185 loaded" in result.stdout


def test_a_window_ended_without_an_entry_is_run_again(machine: FakeStateMachine) -> None:
    machine.begin(day(1)).status = "FAILED"
    machine.begin(day(1, 2)).status = "ABORTED"
    machine.unrecorded = {day(1), day(1, 2)}
    etl_backfill("--from", "2026-11-01", "--to", "2026-11-02")

    assert names(machine) == [day(1), day(1, 2), day(1, 3)]


def test_a_window_done_by_another_process_is_done(machine: FakeStateMachine) -> None:
    machine.begin(day(1)).status = "SUCCEEDED"
    machine.unrecorded = {day(1)}
    result = etl_backfill("--from", "2026-11-01", "--to", "2026-11-02")

    assert names(machine) == [day(1)]
    assert "✔ The window is done: 37 loaded" in result.stdout


def test_a_running_entry_of_a_stopped_execution_is_no_obstacle(machine: FakeStateMachine) -> None:
    machine.begin(day(1)).entry_status = "RUNNING"
    machine.executions[day(1)].status = "ABORTED"
    etl_backfill("--from", "2026-11-01", "--to", "2026-11-02")

    assert names(machine) == [day(1), day(1, 2)]


def test_a_connection_that_is_lost_is_told_with_what_still_runs(machine: FakeStateMachine) -> None:
    machine.refuse = EndpointConnectionError(endpoint_url="https://states.example")
    error = etl_backfill(*FIVE_DAYS).exception

    assert isinstance(error, UserError)
    assert error.message.startswith("AWS does not answer: Could not connect")
    assert error.remedy.endswith("0 of 5 windows done, 1 still running, 4 left.")
    assert day(1) in str(error)


def test_a_dry_run_lists_the_windows_and_starts_nothing(machine: FakeStateMachine) -> None:
    machine.course = failing(THIRD)
    etl_backfill(*FIVE_DAYS)
    machine.begin(day(4))
    result = etl_backfill(*FIVE_DAYS, "--dry-run")

    assert [line.split("UTC  ")[1] for line in result.stdout.splitlines()[3:]] == [
        f"done by {machine.executions[day(1)].run}",
        f"done by {machine.executions[day(2)].run}",
        "to run again, failed at Gate: QualityGateError",
        f"runs as {day(4)}",
        "to run",
    ]
    assert len(machine.executions) == 4
    document = json.loads(etl_backfill(*FIVE_DAYS, "--dry-run", "--json").stdout)
    assert (document["done"], document["running"], document["left"]) == (2, 1, 2)


def test_the_example_of_the_documentation(machine: FakeStateMachine) -> None:
    machine.course = failing(THIRD)
    shown = etl_backfill(*FIVE_DAYS).stdout

    # All but one of the durations are the recorded executions'.
    assert re.sub(r"(in all .*  )[0-9.]+ s\n", r"\g<1>8.4 s\n", shown) == example("etl backfill")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--from", "2026-11-02", "--to", "2026-11-01"], "before --to"),
        (["--from", "2020-01-01", "--to", "2026-11-01", "--step", "5m"], "718,848 windows"),
        ([*FIVE_DAYS, "--parallel", "0"], "greater than or equal to 1"),
        ([*FIVE_DAYS, "--redo", "--done-since", "2026-11-01"], "--done-since"),
        ([*FIVE_DAYS, "--step", "1M"], "--step: '1M' is no length of time"),
    ],
)
def test_nonsense_is_refused_before_a_start(machine: FakeStateMachine, options: list[str], message: str) -> None:
    result = etl_backfill(*options)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert machine.executions == {}


def test_windows_meet_and_the_last_ends_with_the_backfill() -> None:
    span = Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, 15, tzinfo=UTC))
    windows = split(span, timedelta(hours=12))

    assert [window.start for window in windows[1:]] == [window.end for window in windows[:-1]]
    assert (windows[0].start, windows[-1].end, len(windows)) == (*span, 4)
    assert windows[-1].end - windows[-1].start == timedelta(hours=3)


@pytest.mark.parametrize("option", ["--dry-run", "--yes"])
def test_without_a_change_time_there_are_no_windows_to_run(machine: FakeStateMachine, option: str) -> None:
    variables = {"Variables": {"SOURCE_CURSOR_FORMAT": "none"}}
    machine.aws.answers["lambda.GetFunctionConfiguration"] = {"Environment": variables}
    error = etl_backfill(*FIVE_DAYS, option, "--region", "us-east-1").exception

    assert isinstance(error, UserError)
    assert "source_cursor_format" in str(error)
    assert "etl run --region us-east-1" in error.remedy
    assert machine.executions == {}


MANY = ("--from", "2026-11-01", "--to", "2026-11-04", "--step", "30m")


def test_very_many_windows_are_not_run_where_nobody_can_be_asked(machine: FakeStateMachine) -> None:
    machine.aws.answers["lambda.GetFunctionConfiguration"] = RefusalError("AccessDeniedException")
    result = etl_backfill(*MANY, "--region", "us-east-1")

    assert result.stdout.splitlines() == [
        "  Backfill  2026-11-01 00:00:00 → 2026-11-04 00:00:00 UTC",
        "  Windows   144 of 30 minutes",
        "  That is 144 runs, each of which reads the whole table.",
    ]
    assert isinstance(result.exception, UserError)
    assert result.exception.remedy_lines[0].endswith(" --step 30m --region us-east-1 --yes")
    assert machine.executions == {}


@pytest.mark.parametrize(("answer", "started"), [("y", 144), ("n", 0)])
def test_very_many_windows_are_run_if_that_is_meant(
    machine: FakeStateMachine, monkeypatch: pytest.MonkeyPatch, answer: str, started: int
) -> None:
    monkeypatch.setattr(verb, "can_ask", lambda: True)
    function = {"FunctionName": "etl-load", "MemorySize": 512, "Environment": {"Variables": SETTINGS}}
    machine.aws.answers["lambda.GetFunctionConfiguration"] = function
    machine.aws.answers |= ROOM | {"sfn.DescribeStateMachine": {"definition": "{}"}}
    result = etl_backfill(*MANY, "--parallel", "20", "--json", answer=answer)

    assert re.search(r"the whole table: about [\d.]+ (s|min \d+ s) and \$[\d.]+ in all\.\n", result.stderr)
    assert "Run them? [y/N]" in result.stderr
    assert len(machine.executions) == started
    assert result.exit_code == (0 if started else 1)


def test_very_many_windows_are_run_without_a_question_if_told_so(machine: FakeStateMachine) -> None:
    machine.course = failing("2026-11-01T00:00:00Z")
    result = etl_backfill(*MANY, "--yes")

    assert "That is" not in result.stdout
    assert result.stdout.splitlines()[-1].endswith(" --step 30m --yes")


def test_windows_that_are_done_are_not_asked_about(machine: FakeStateMachine) -> None:
    etl_backfill(*MANY, "--yes", "--parallel", "20")
    again = etl_backfill(*MANY)

    assert again.exit_code == 0
    assert len(machine.executions) == 144


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("step", "label"), [("1d", "2026-11-01"), ("6h", "2026-11-01 00:00"), ("7h", "2026-11-01 00:00")]
)
def test_windows_are_named_as_briefly_as_can_be(step: str, label: str) -> None:
    lines = etl_backfill("--from", "2026-11-01", "--to", "2026-11-02", "--step", step).stdout.splitlines()

    assert next(line for line in lines if "loaded" in line).startswith(f"  ✔ {label}  37 loaded")


@pytest.mark.parametrize(
    ("seconds", "forecast"),
    [(30, r"until [0-9]{2}:[0-9]{2} UTC, one in 30\.0 s"), (86_400, r"until 20[0-9]{2}-.* UTC, one in 24 h 00 min")],
)
def test_on_a_terminal_it_tells_when_it_will_be_over(
    machine: FakeStateMachine, monkeypatch: pytest.MonkeyPatch, seconds: int, forecast: str
) -> None:
    machine.looks = 0
    planned = [Planned(window) for window in split(Span(at(1), at(5)), timedelta(days=1))]
    work = BackfillWork(Deployment.find(machine.aws.session), planned)
    console = Terminal(file=io.StringIO(), width=100, force_terminal=True, styled=False)
    with Board(console, [], name_width=10, owns=False) as board:
        view = BackfillBoard(board, work, window_names(planned, Times()), Times())
        began = time.monotonic()
        for window, snapshot in work.advance():
            view.show(window, snapshot)
        monkeypatch.setattr(time, "monotonic", lambda: began + seconds)
        view.sum_up()

    assert isinstance(console.file, io.StringIO)
    last = Text.from_ansi(console.file.getvalue()).plain.splitlines()[-1]
    assert re.search(rf"in all     ━+  1 of 4, {forecast}", last)
