"""`etl run`: what it starts, what it shows, and how it ends."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import typer
from botocore.exceptions import EndpointConnectionError
from typer.testing import CliRunner, Result

from etl_cli.commands.run import run
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.time_options import execution_input
from tests.docs.examples import example
from tests.fakes.aws import unreachable
from tests.fakes.state_machine import FakeStateMachine

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)


def etl_run(*options: str) -> Result:
    app = typer.Typer()
    app.command()(run)
    return CliRunner().invoke(app, options)


def test_the_name_of_a_run_has_its_origin_and_its_time(machine: FakeStateMachine) -> None:
    result = etl_run("--start", "2026-11-01", "--end", "2026-11-02T06:00:00Z")

    (execution,) = machine.executions.values()
    assert re.fullmatch(r"run-20[0-9]{6}T[0-9]{6}Z-[0-9a-f]{4}", execution.name)
    assert execution.given == {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T06:00:00Z"}
    lines = result.stdout.splitlines()
    assert lines[0] == f"  Execution  {execution.name}"
    assert lines[1] == "  Window     2026-11-01 00:00:00 → 2026-11-02 06:00:00 UTC"
    assert result.exit_code == 0


@pytest.mark.usefixtures("machine")
def test_it_is_followed_to_its_report() -> None:
    result = etl_run()

    assert [line.split()[:2] for line in result.stdout.splitlines()[3:9]] == [
        ["✔", stage] for stage in ("Plan", "Extract", "Transform", "Gate", "Load", "Finish")
    ]
    assert "✔ 37 loaded, 1 rejected" in result.stdout
    assert result.stderr == ""


@pytest.mark.usefixtures("machine")
def test_the_example_of_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "3f9a")
    result = etl_run()

    name = r"run-20[0-9]{6}T[0-9]{6}Z-3f9a"
    lines = [line.rstrip() for line in re.sub(name, "run-20261124T211314Z-3f9a", result.stdout).splitlines()]
    beginning, cut, end = example("etl run").partition("  …\n")
    assert (cut, end) == ("  …\n", "")
    assert "\n".join(lines).startswith(beginning)


def test_a_run_that_fails_has_a_reason_and_a_remedy(machine: FakeStateMachine) -> None:
    machine.course = lambda _: "failed_at_gate"
    result = etl_run()

    assert result.exit_code == 1
    assert "✘ The run failed at Gate: QualityGateError" in result.stdout
    assert "What to do" in result.stdout
    assert re.search(r"etl quarantine show 20[0-9]{6}T[0-9]{9}Z", result.stdout)


@pytest.mark.usefixtures("machine")
def test_programs_get_the_report_alone() -> None:
    result = etl_run("--json")

    assert json.loads(result.stdout)["counts"]["loaded"] == 37
    assert "✔ Load" in result.stderr


def test_programs_get_the_failure_alone(machine: FakeStateMachine) -> None:
    machine.course = lambda _: "failed_at_gate"
    result = etl_run("--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "QualityGateError"


def test_without_following_it_only_starts(machine: FakeStateMachine) -> None:
    result = etl_run("--lookback", "48", "--no-follow", "--profile", "night")

    (execution,) = machine.executions.values()
    assert (execution.given, execution.status, execution.looks) == ({"lookback_hours": 48}, "RUNNING", machine.looks)
    assert "Window     the last 48 hours" in result.stdout
    assert result.stdout.endswith(f"etl watch {execution.name} --profile night\n")
    assert result.exit_code == 0


def test_without_following_programs_get_the_started_run(machine: FakeStateMachine) -> None:
    document = json.loads(etl_run("--no-follow", "--json").stdout)

    (execution,) = machine.executions.values()
    assert document == {"status": "started", "execution": execution.arn, "name": execution.name, "input": {}}


@pytest.mark.parametrize(("reason", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_an_interrupt_leaves_the_run_and_shows_how_to_watch_it(
    machine: FakeStateMachine, reason: BaseException, code: int
) -> None:
    machine.refuse = reason
    result = etl_run()

    (execution,) = machine.executions.values()
    assert execution.status == "RUNNING"
    assert result.exit_code == code
    assert result.stderr.startswith("interrupted: the run goes on. Watch it again:\n")
    assert result.stderr.endswith(f"etl watch {execution.name}\n")
    assert "✘" not in result.stdout


def test_a_connection_that_is_lost_leaves_the_run_going_too(machine: FakeStateMachine) -> None:
    machine.refuse = EndpointConnectionError(endpoint_url="https://states.example")
    result = etl_run()

    assert isinstance(result.exception, UserError)
    (execution,) = machine.executions.values()
    assert "AWS does not answer: Could not connect" in result.exception.message
    assert str(result.exception).endswith(f"etl watch {execution.name}")


def test_a_run_that_has_ended_is_not_said_to_go_on(machine: FakeStateMachine) -> None:
    machine.aws.answers["s3.GetObject"] = unreachable("https://s3.example")
    result = etl_run()

    assert isinstance(result.exception, UserError)
    assert "✔ Finish" in result.stdout
    assert "goes on" not in str(result.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--start", "2026-11-01"], "a window needs --end too"),
        (["--end", "2026-11-01"], "a window needs --start too"),
        (["--start", "2026-11-02", "--end", "2026-11-02"], "--start must be before --end"),
        (["--lookback", "24", "--end", "2026-11-01"], "--start and --end"),
        (["--lookback", "0"], "greater than or equal to 1"),
    ],
)
def test_invalid_windows_are_refused_before_anything_starts(
    machine: FakeStateMachine, options: list[str], message: str
) -> None:
    result = etl_run(*options)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert machine.executions == {}


def test_a_window_may_end_now() -> None:
    given = execution_input(NOW - timedelta(days=1), NOW, None, NOW)

    assert given == {"start": "2026-11-23T20:00:00Z", "end": "2026-11-24T20:00:00Z"}


@pytest.mark.usefixtures("machine")
def test_times_are_local_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        result = etl_run("--start", "2026-11-01", "--end", "2026-11-02", "--local-time")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert "2026-11-01 09:00:00 → 2026-11-02 09:00:00 JST" in result.stdout
    assert "Plan          2026-11-24 05:58:15 → 2026-11-25 06:13:15 JST" in result.stdout
    assert "Window 2026-11-24 05:58:15 → 2026-11-25 06:13:15 JST" in result.stdout
