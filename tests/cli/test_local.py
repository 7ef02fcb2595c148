"""`etl local` around the environment: what each of its commands prints, as the documentation shows it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from etl.model.names import ETL, Names
from etl_cli.app import app
from etl_cli.commands import local
from etl_cli.local import checkout as checkout_module
from etl_cli.local.clients import StackSummary
from etl_cli.local.environment import Status
from etl_cli.local.process import ServerRecord
from etl_cli.local.variables import client_variables
from etl_cli.terminal.errors import UserError
from tests.docs.examples import example
from tests.fakes.state_machine import OUTPUTS
from tests.support import ROOT

STACKS = [StackSummary("CDKToolkit", "CREATE_COMPLETE"), StackSummary("EtlPipelineStack", "CREATE_COMPLETE")]
CHECKOUT, FOLDER = Path("/checkout"), Path("/checkout/.etl-local")
KEY = ("AKIAQ2T4X7MZC5WPLR3H", "5f0c1a7e9b3d48260f7ce1d29a4b6853c07f91de")
SERVER = ServerRecord(4711, 4566, "token", "2026-11-26T02:33:20Z", False, {}, *KEY)
VARIABLES = [name for name in client_variables(CHECKOUT, FOLDER, SERVER) if name.startswith("AWS_")]


@dataclass
class FakeEnvironment:
    """A local environment that does what it is told, at once.

    Attributes:
        state: as `Status.state`.
        deployed: whether it has the stack.
        calls: what it was told.
    """

    state: str = "up"
    deployed: bool = True
    calls: list[object] = field(default_factory=list)

    def status(self, *, stacks: bool = False) -> Status:
        if self.state != "up":
            return Status(self.state, FOLDER)
        found = STACKS if stacks and self.deployed else []
        return Status("up", FOLDER, SERVER.endpoint, SERVER.port, SERVER.pid, SERVER.started_at, 61.0, stacks=found)

    def start(self, port: int | None, *, strict: bool) -> Status:
        self.calls.append(("start", port, strict))
        self.state = "up"
        return self.status()

    def stop(self) -> bool:
        was_up, self.state = self.state == "up", "down"
        return was_up

    def reset(self) -> Status:
        self.deployed = False
        return self.status()

    def variables(self) -> dict[str, str]:
        return client_variables(CHECKOUT, FOLDER, SERVER)

    def deploy_all(
        self, pipelines: Sequence[Names], context: Mapping[str, str], on_line: Callable[[str], None]
    ) -> dict[str, dict[str, str]]:
        self.calls.append(("deploy", pipelines, context))
        on_line("EtlPipelineStack: creating 1 of 42 resources")
        return {names.stack: OUTPUTS for names in pipelines}

    def destroy(self, context: Mapping[str, str], on_line: Callable[[str], None], pipelines: Sequence[Names]) -> None:
        self.calls.append(("destroy", pipelines, context))
        on_line("EtlPipelineStack: deleting")
        self.deployed = False


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the specification's pipeline."""
    (tmp_path / "cdk.json").write_text("{}")
    add(tmp_path, "etl")
    monkeypatch.setattr(checkout_module, "ROOT", tmp_path)
    return tmp_path


def add(checkout: Path, *pipelines: str) -> None:
    for name in pipelines:
        (checkout / "pipelines" / name).mkdir(parents=True)
        (checkout / "pipelines" / name / "transformation.py").touch()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> FakeEnvironment:  # noqa: ARG001 - its place
    made = FakeEnvironment()
    monkeypatch.setattr(local, "LocalEnvironment", lambda _: made)
    monkeypatch.setattr(shutil, "which", lambda _: str(ROOT / ".venv" / "bin" / "etl"))
    for name in [name for name in os.environ if name.upper().startswith(("AWS_", "CDK_", "NO_PROXY", "NODE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return made


def etl_local(*arguments: str, pipeline: str | None = None) -> Result:
    return CliRunner().invoke(app, [*(["--pipeline", pipeline] if pipeline else []), "local", *arguments])


def printed(result: Result) -> str:
    """The output, its lines without the blanks at their ends."""
    return "".join(f"{line.rstrip()}\n" for line in result.stdout.splitlines())


@pytest.mark.parametrize("name", ["start", "stop", "reset", "status", "env", "deploy", "destroy"])
def test_the_examples_of_the_documentation(environment: FakeEnvironment, name: str) -> None:
    if name == "start":
        environment.state = "down"
    result = etl_local(name)

    assert result.exit_code == 0
    assert re.sub(r"\(\d+ s\)", "(23 s)", printed(result)) == example(f"etl local {name}")


def test_an_environment_that_is_up_already_is_said_to_be(environment: FakeEnvironment) -> None:
    assert "already up: http://127.0.0.1:4566" in etl_local("start", "--port", "4566", "--strict").stdout
    assert environment.calls == [("start", 4566, True)]


def test_stopping_what_is_not_up_is_no_error(environment: FakeEnvironment) -> None:
    environment.state = "down"
    result = etl_local("stop")

    assert (result.exit_code, "wasn't up" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("state", "code", "says"),
    [
        ("down", 3, "is down"),
        ("died", 4, "ended without being stopped"),
        ("unresponsive", 4, "runs, but doesn't answer"),
    ],
)
def test_an_environment_that_is_not_up_has_its_own_exit_code(
    environment: FakeEnvironment, state: str, code: int, says: str
) -> None:
    environment.state = state

    result = etl_local("status")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (code, f"The local environment {says}.")
    assert json.loads(etl_local("status", "--json").stdout)["state"] == state


def test_programs_get_the_status_and_the_variables(environment: FakeEnvironment) -> None:
    found = json.loads(etl_local("status", "--json").stdout)

    assert (found["endpoint"], found["stacks"]) == ("http://127.0.0.1:4566", [vars(stack) for stack in STACKS])
    told = json.loads(etl_local("env", "--json").stdout)
    assert told == environment.variables()
    assert set(VARIABLES) <= told.keys()


@pytest.mark.usefixtures("environment")
def test_unset_restores_former_variables_and_unsets_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "night")
    monkeypatch.setenv("AWS_A-B", "no shell can have it")
    assert etl_local("env").stdout.splitlines()[:3] == [
        'export ETL_BEFORE_AWS_PROFILE="$AWS_PROFILE"',
        'export ETL_BEFORE_PATH="$PATH"',
        "unset AWS_PROFILE",
    ]
    monkeypatch.setenv("ETL_BEFORE_AWS_PROFILE", "night")
    monkeypatch.setenv("ETL_BEFORE_PATH", "/bin")
    assert "ETL_BEFORE" not in etl_local("env").stdout

    monkeypatch.setenv("ETL_BEFORE_X;false;", "no shell has this name, but a process may")
    lines = etl_local("env", "--unset").stdout.splitlines()

    assert 'export AWS_PROFILE="$ETL_BEFORE_AWS_PROFILE"; unset ETL_BEFORE_AWS_PROFILE' in lines
    assert {f"unset {name}" for name in (*VARIABLES, "AWS_CA_BUNDLE", "CDK_HOME")} <= set(lines)
    assert not any("false" in line for line in lines)
    assert etl_local("env", "--unset", "--json").exit_code == 2


@pytest.mark.usefixtures("environment")
def test_without_a_way_back_nothing_is_printed_for_the_shell() -> None:
    result = etl_local("env", "--unset")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "doesn't use a local environment" in result.stderr


def test_context_values_are_those_of_the_deployment(environment: FakeEnvironment) -> None:
    etl_local("deploy", "--context", "etl:lookback_hours=48")

    assert environment.calls == [("deploy", [ETL], {"etl:lookback_hours": "48"})]


@pytest.mark.parametrize("verb", ["deploy", "destroy"])
@pytest.mark.parametrize(
    ("chosen", "stage", "pipelines", "context"),
    [
        (None, None, [Names("etl"), Names("orders"), Names("orders-eu")], {}),
        (None, "dev", [Names("etl", "dev"), Names("orders", "dev"), Names("orders-eu", "dev")], {"etl:stage": "dev"}),
        ("orders", None, [Names("orders")], {}),
        ("orders", "dev", [Names("orders", "dev")], {"etl:stage": "dev"}),
        ("orders-dev", None, [Names("orders", "dev")], {"etl:stage": "dev"}),
        ("orders-eu", None, [Names("orders-eu")], {}),
        ("orders-eu-dev", None, [Names("orders-eu", "dev")], {"etl:stage": "dev"}),
    ],
)
def test_the_chosen_pipelines_of_a_stage_are_deployed_or_destroyed(
    *,
    environment: FakeEnvironment,
    checkout: Path,
    verb: str,
    chosen: str | None,
    stage: str | None,
    pipelines: list[Names],
    context: dict[str, str],
) -> None:
    add(checkout, "orders", "orders-eu")

    result = etl_local(verb, *(["-c", f"etl:stage={stage}"] if stage else []), pipeline=chosen)

    assert result.exit_code == 0
    assert environment.calls == [(verb, pipelines, context)]
    assert all(names.stack in result.stdout for names in pipelines)


@pytest.mark.parametrize(
    ("chosen", "context", "facts"),
    [
        ("order", "unrelated=1", ["no pipeline order", "etl, orders"]),
        ("orders", "order:memory_mb=1024", ["order:memory_mb", "etl, orders"]),
        ("orders", "etl:stage=Dev", ["stage must be", "'Dev'"]),
    ],
)
def test_a_choice_of_no_pipeline_or_stage_is_refused(
    environment: FakeEnvironment, checkout: Path, chosen: str, context: str, facts: list[str]
) -> None:
    add(checkout, "orders")

    error = etl_local("deploy", "-c", context, pipeline=chosen).exception

    assert isinstance(error, UserError)
    assert all(fact in error.message for fact in facts)
    assert environment.calls == []


def test_a_choice_that_a_file_turns_into_another_stage_is_refused(environment: FakeEnvironment, checkout: Path) -> None:
    """`etl --pipeline orders runs` is about `orders`, so this line must not be about `orders-prod`."""
    add(checkout, "orders")
    (checkout / "cdk.json").write_text('{"context": {"etl:stage": "prod"}}')

    error = etl_local("destroy", pipeline="orders").exception
    assert isinstance(error, UserError)
    assert "orders-prod" in error.message
    assert "--pipeline orders-prod" in error.remedy
    assert environment.calls == []
    etl_local("destroy", pipeline="orders-prod")
    etl_local("destroy", pipeline="orders-dev")
    assert environment.calls == [
        ("destroy", [Names("orders", "prod")], {"etl:stage": "prod"}),
        ("destroy", [Names("orders", "dev")], {"etl:stage": "dev"}),
    ]
