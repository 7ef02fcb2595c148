"""`etl watch`: which execution it finds, and that it can come at any time."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner, Result

from etl_cli.commands.watch import watch
from etl_cli.terminal.errors import UserError
from tests.docs.examples import example
from tests.fakes.state_machine import MACHINE, FakeStateMachine


def etl_watch(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(watch)
    return CliRunner().invoke(app, arguments)


def watched(*arguments: str) -> str:
    """The name of the execution that is watched, by its report."""
    result = etl_watch(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return str(json.loads(result.stdout)["execution"]).rpartition(":")[2]


@pytest.fixture
def nights(machine: FakeStateMachine) -> FakeStateMachine:
    """Three executions; the one in the middle is still running."""
    for name in ("first", "middle", "last"):
        machine.begin(name)
    machine.executions["first"].status = machine.executions["last"].status = "SUCCEEDED"
    return machine


@pytest.mark.usefixtures("nights")
def test_the_latest_that_runs_is_watched() -> None:
    assert watched() == "middle"


def test_where_none_runs_the_latest_is_shown(nights: FakeStateMachine) -> None:
    nights.executions["middle"].status = "SUCCEEDED"

    assert watched() == "last"


@pytest.mark.parametrize("what", ["name", "arn", "run"])
def test_a_run_has_three_names(nights: FakeStateMachine, what: str) -> None:
    assert watched(getattr(nights.executions["first"], what)) == "first"


@pytest.mark.parametrize("what", ["name", "arn"])
def test_a_run_that_has_no_entry_yet_is_found_by_the_others(nights: FakeStateMachine, what: str) -> None:
    nights.unrecorded = {"first"}

    assert watched(getattr(nights.executions["first"], what)) == "first"


@pytest.mark.usefixtures("nights")
def test_a_run_that_has_ended_is_shown_as_it_ended() -> None:
    result = etl_watch("last")

    assert [line.split()[:2] for line in result.stdout.splitlines()[2:8]] == [
        ["✔", stage] for stage in ("Plan", "Extract", "Transform", "Gate", "Load", "Finish")
    ]
    assert "nothing unaccounted for" in result.stdout


@pytest.mark.usefixtures("nights")
@pytest.mark.parametrize("name", ["nonsense", "20200101T000000000Z", "arn:aws:s3:::bucket"])
def test_an_unknown_run_is_refused(name: str) -> None:
    error = etl_watch(name).exception

    assert isinstance(error, UserError)
    assert repr(name) in error.message


def test_an_execution_of_another_state_machine_is_refused(nights: FakeStateMachine) -> None:
    nights.executions["last"].machine = MACHINE.replace("etl-pipeline", "etl-pipeline-recorder")
    nights.unrecorded = {"last"}

    assert isinstance(etl_watch("last").exception, UserError)


def test_a_forgotten_run_is_still_in_the_ledger(nights: FakeStateMachine) -> None:
    nights.forgotten = {"first"}
    error = etl_watch(nights.executions["first"].run).exception

    assert isinstance(error, UserError)
    assert "first" in error.message
    assert "90 days" in error.message
    assert error.remedy.endswith(f"etl show {nights.executions['first'].run}")


@pytest.mark.usefixtures("machine")
def test_before_the_first_run_there_is_nothing_to_watch() -> None:
    error = etl_watch().exception

    assert isinstance(error, UserError)
    assert error.remedy.endswith("etl run")


def test_the_example_of_the_documentation(machine: FakeStateMachine) -> None:
    machine.course = lambda _: "failed_at_gate"
    machine.begin("run-20261124T211314Z-3f9a").status = "FAILED"

    result = etl_watch("run-20261124T211314Z-3f9a")
    assert (result.exit_code, result.stdout) == (1, example("etl watch"))
