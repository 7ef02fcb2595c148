"""`etl demo` around the pipeline: its exit codes, and what it leaves behind when it is interrupted."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from botocore.exceptions import EndpointConnectionError

from etl_cli.aws.deployment import Deployment
from etl_cli.commands import demo as demo_module
from etl_cli.commands import follow as following
from etl_cli.commands.demo import Demonstration, demo
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.paths import command
from etl_cli.terminal.times import Times
from tests.fakes.recording import Recording


@dataclass
class FakeEnvironment:
    """A local environment that is up or down, and whose deployment does what the test wants."""

    up: bool = False
    strict: bool = False
    deployment: Callable[[], None] = lambda: None
    log: Path = Path("server.log")
    context: Mapping[str, str] | None = None

    def status(self) -> Any:
        return SimpleNamespace(is_up=self.up, endpoint="http://127.0.0.1:4566")

    def start(self, *, strict: bool = False) -> Any:
        self.up, self.strict = True, strict
        return self.status()

    def stop(self) -> None:
        self.up = False

    def deploy(self, context: Mapping[str, str] | None, *, on_line: Callable[[str], None]) -> None:
        self.context = context
        on_line("Synthesizing the template")
        self.deployment()

    def clients(self) -> Any:
        return SimpleNamespace(session=None, options={})

    def variables(self) -> dict[str, str]:
        if not self.up:
            raise UserError("The local environment ended without being stopped.", "Start it again.")
        return {}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> FakeEnvironment:
    made = FakeEnvironment()
    monkeypatch.setattr(demo_module, "LocalEnvironment", lambda _: made)
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Recording], None]:
    """Makes the demonstration find a recorded execution in the environment."""
    monkeypatch.setattr(demo_module, "_LOOK_SECONDS", 0.0)

    def find(recording: Recording) -> None:
        monkeypatch.setattr(Deployment, "find", lambda *_: recording.deployment)

    return find


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def exit_code(**options: Any) -> int:
    with pytest.raises(typer.Exit) as ended:
        demo(**({"items": 30, "as_json": False} | options))
    return ended.value.exit_code


def test_context_values_are_those_of_the_deployment(
    environment: FakeEnvironment, run: Callable[[Recording], None]
) -> None:
    run(Recording("failed_at_plan"))

    assert exit_code(context=["etl:concurrency=100", "etl:log_level=DEBUG"]) == 1
    assert environment.context == {"etl:concurrency": "100", "etl:log_level": "DEBUG"}


@pytest.mark.parametrize("strict", [False, True])
def test_the_environment_is_strict_as_told(
    environment: FakeEnvironment, run: Callable[[Recording], None], strict: bool
) -> None:
    run(Recording("failed_at_plan"))

    assert exit_code(strict=strict) == 1
    assert environment.strict is strict


def test_a_context_value_without_a_key_starts_nothing(environment: FakeEnvironment) -> None:
    with pytest.raises(UserError, match="--context takes KEY=VALUE, got 'concurrency'"):
        demo(items=30, as_json=False, context=["concurrency"])

    assert not environment.up


def last_error(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_an_interrupted_start_leaves_nothing(
    environment: FakeEnvironment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "start", interrupt)

    assert exit_code() == 130
    assert last_error(capsys) == "interrupted: the local environment is stopped again"
    assert not environment.up


def test_an_interrupted_deployment_ends_its_own_environment(
    environment: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.deployment = interrupt

    assert exit_code() == 130
    assert not environment.up
    assert last_error(capsys) == "interrupted: the local environment is stopped again"


def test_an_interrupted_deployment_leaves_a_former_environment(
    environment: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.up, environment.deployment = True, interrupt

    assert exit_code() == 130
    assert environment.up
    assert last_error(capsys).startswith("interrupted: cdk was ended, and the next deployment completes the stack; ")


def test_an_interrupt_while_filling_leaves_the_environment_up(
    environment: FakeEnvironment,
    run: Callable[[Recording], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = Recording("succeeded")
    run(recording)
    monkeypatch.setattr(demo_module, "write_items", interrupt)

    assert exit_code() == 130
    assert environment.up
    assert last_error(capsys).startswith("interrupted: the local environment stays up (")
    assert recording.stepfunctions.stopped == []


def test_an_interrupt_while_the_execution_runs_stops_it(
    environment: FakeEnvironment,
    run: Callable[[Recording], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = Recording("succeeded")
    run(recording)
    monkeypatch.setattr(demo_module, "show_execution", interrupt)

    assert exit_code() == 130
    assert recording.stepfunctions.stopped == [recording.execution]
    assert last_error(capsys).startswith("interrupted: the execution was stopped; the local environment stays up (")
    assert environment.up


def test_a_signal_that_ends_the_process_tidies_up_too(environment: FakeEnvironment) -> None:
    def terminate() -> None:
        raise SystemExit(143)

    environment.deployment = terminate

    assert exit_code() == 143
    assert not environment.up


def test_a_deployment_that_fails_is_an_error_without_a_traceback(
    environment: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise UserError("`cdk deploy` failed with exit code 1.", "Correct transformation.py.")

    environment.deployment = fail

    assert exit_code() == 1
    said = capsys.readouterr()
    assert said.err == "error: `cdk deploy` failed with exit code 1.\nCorrect transformation.py.\n"
    assert "✘ Deployment" in said.out
    assert "local stop" in said.out


def test_an_execution_that_fails_is_explained(
    environment: FakeEnvironment, run: Callable[[Recording], None], capsys: pytest.CaptureFixture[str]
) -> None:
    recording = Recording("failed_at_plan")
    run(recording)

    assert exit_code() == 1
    out = capsys.readouterr().out
    assert as_etl_run_says_it(recording) in out
    assert out.endswith(f"  The local environment stays up. Stop it: {command()} local stop\n")
    assert environment.up


def as_etl_run_says_it(recording: Recording) -> str:
    console = Terminal(file=io.StringIO(), width=80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "console_of_progress", lambda **_: console)
        with pytest.raises(typer.Exit):
            following.follow_to_end(recording.deployment, recording.execution, EtlLines(), Times())
    assert isinstance(console.file, io.StringIO)
    _, failed, told = console.file.getvalue().partition("  ✘ The run failed at ")
    assert failed
    return failed + told


def test_items_that_do_not_fit_end_the_demo_without_an_error(
    environment: FakeEnvironment, run: Callable[[Recording], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(Recording("failed_at_gate"))

    assert exit_code() == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "don't fit your transformation.py" in out
    assert "1 of 19 items" in out
    assert "value: expected a number >= 0" in out
    assert f"{command()} preview" in out
    assert "loaded," not in out
    assert environment.up


def test_items_that_do_not_fit_are_json_too(
    environment: FakeEnvironment, run: Callable[[Recording], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(Recording("failed_at_gate"))

    assert exit_code(as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["stage"], document["error"]) == ("unfit", "Gate", "QualityGateError")
    assert document["commands"] == [f"{command()} preview", f"{command()} quarantine show {document['run']}"]
    assert environment.up


@pytest.mark.usefixtures("environment")
def test_it_ends_with_lines_that_go_on_with_its_own_items(
    run: Callable[[Recording], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo_module, "verify", lambda *_: Verified(source=38, destination=37))
    monkeypatch.setattr(demo_module, "command", lambda: "etl")
    run(Recording("succeeded"))

    assert exit_code() == 0
    end = capsys.readouterr().out.partition("  What to do next\n")[2].splitlines()
    etl = command()
    assert [line.strip() for line in end if line and "#" not in line] == [
        f'eval "$({etl} local env)"',
        f"{etl} preview --watch",
        f"{etl} report latest --html report.html",
        f"{etl} doctor",
        "The local environment stays up. Stop it: etl local stop",
    ]
    assert max(map(len, end)) <= 80


def test_an_execution_that_fails_is_json_too(
    environment: FakeEnvironment, run: Callable[[Recording], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(Recording("failed_at_plan"))

    assert exit_code(as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "failed"
    assert environment.up


def test_tables_that_do_not_hold_what_the_run_says_are_an_error(
    environment: FakeEnvironment, run: Callable[[Recording], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run(Recording("succeeded"))  # its tables hold the one item that the report shows

    assert exit_code(as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "error"
    assert document["message"].startswith("The tables and the counts of run ")
    assert environment.up


def test_an_environment_that_ends_meanwhile_is_told(
    environment: FakeEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    def vanish() -> None:
        environment.up = False
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")

    environment.deployment = vanish

    assert exit_code() == 1
    assert capsys.readouterr().err.startswith("error: The local environment ended without being stopped.")


def test_a_request_that_is_refused_is_told(environment: FakeEnvironment, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")

    environment.deployment = refuse

    assert exit_code() == 1
    assert capsys.readouterr().err.startswith("error: The local AWS refused a request: Could not connect")


def test_nothing_to_tidy_up_is_said_so() -> None:
    demonstration = Demonstration(cast(Any, FakeEnvironment()), 10, as_json=False)

    assert demonstration.tidy_up() == "nothing was started"
