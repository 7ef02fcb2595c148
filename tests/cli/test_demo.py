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
from etl_cli.commands.demo import Demonstration, demo
from etl_cli.render import live_run
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.paths import command
from etl_cli.terminal.times import Times
from tests.fakes.recording import Recording

Find = Callable[[Recording], None]
Captured = pytest.CaptureFixture[str]


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
        return SimpleNamespace(session=None, options={}, stacks=list)

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
def run(monkeypatch: pytest.MonkeyPatch) -> Find:
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


def test_context_values_are_those_of_the_deployment(environment: FakeEnvironment, run: Find) -> None:
    run(Recording("failed_at_plan"))

    assert exit_code(context=["etl:concurrency=100", "etl:log_level=DEBUG"]) == 1
    assert environment.context == {"etl:concurrency": "100", "etl:log_level": "DEBUG"}


@pytest.mark.parametrize("strict", [False, True])
def test_the_environment_is_strict_as_told(environment: FakeEnvironment, run: Find, strict: bool) -> None:
    run(Recording("failed_at_plan"))

    assert exit_code(strict=strict) == 1
    assert environment.strict is strict


def test_a_context_value_without_a_key_starts_nothing(environment: FakeEnvironment) -> None:
    with pytest.raises(UserError, match="--context takes KEY=VALUE, got 'concurrency'"):
        demo(items=30, as_json=False, context=["concurrency"])

    assert not environment.up


@pytest.mark.parametrize(
    ("was_up", "during", "stays_up", "says"),
    [
        (False, "start", False, "the local environment is stopped again\n"),
        (False, "deployment", False, "the local environment is stopped again\n"),
        (True, "deployment", True, "cdk was ended, and the next deployment completes the stack; "),
        (False, "write_items", True, "the local environment stays up ("),
        (False, "show_execution", True, "the execution was stopped; the local environment stays up ("),
    ],
)
def test_an_interrupt_leaves_nothing_half_started(
    environment: FakeEnvironment,
    run: Find,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
    *,
    was_up: bool,
    during: str,
    stays_up: bool,
    says: str,
) -> None:
    recording = Recording("succeeded")
    run(recording)
    environment.up = was_up
    monkeypatch.setattr(environment if hasattr(environment, during) else demo_module, during, interrupt)

    assert exit_code() == 130
    assert environment.up is stays_up
    assert capsys.readouterr().err.splitlines(keepends=True)[-1].startswith(f"interrupted: {says}")
    assert recording.stepfunctions.stopped == ([recording.execution] if during == "show_execution" else [])


def test_a_signal_that_ends_the_process_tidies_up_too(environment: FakeEnvironment) -> None:
    def terminate() -> None:
        raise SystemExit(143)

    environment.deployment = terminate

    assert exit_code() == 143
    assert not environment.up


def test_a_deployment_that_fails_is_an_error_without_a_traceback(
    environment: FakeEnvironment, capsys: Captured
) -> None:
    def fail() -> None:
        raise UserError("`cdk deploy` failed with exit code 1.", "Correct transformation.py.")

    environment.deployment = fail

    assert exit_code() == 1
    said = capsys.readouterr()
    assert said.err == "error: `cdk deploy` failed with exit code 1.\nCorrect transformation.py.\n"
    assert "✘ Deployment" in said.out
    assert "local stop" in said.out


def test_an_execution_that_fails_is_explained(environment: FakeEnvironment, run: Find, capsys: Captured) -> None:
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
        patch.setattr(live_run, "console_of_progress", lambda **_: console)
        with pytest.raises(typer.Exit):
            live_run.follow_to_end(recording.deployment, recording.execution, EtlLines(), Times())
    assert isinstance(console.file, io.StringIO)
    _, failed, told = console.file.getvalue().partition("  ✘ The run failed at ")
    assert failed
    return failed + told


def test_items_that_do_not_fit_end_the_demo_without_an_error(
    environment: FakeEnvironment, run: Find, capsys: Captured
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


def test_items_that_do_not_fit_are_json_too(environment: FakeEnvironment, run: Find, capsys: Captured) -> None:
    run(Recording("failed_at_gate"))

    assert exit_code(as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], document["stage"], document["error"]) == ("unfit", "Gate", "QualityGateError")
    assert document["commands"] == [f"{command()} preview", f"{command()} quarantine show {document['run']}"]
    assert environment.up


@pytest.mark.usefixtures("environment")
def test_it_ends_with_lines_that_go_on_with_its_own_items(
    run: Find, monkeypatch: pytest.MonkeyPatch, capsys: Captured
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


def test_an_execution_that_fails_is_json_too(environment: FakeEnvironment, run: Find, capsys: Captured) -> None:
    run(Recording("failed_at_plan"))

    assert exit_code(as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "failed"
    assert environment.up


def test_tables_that_do_not_hold_what_the_run_says_are_an_error(
    environment: FakeEnvironment, run: Find, capsys: Captured
) -> None:
    run(Recording("succeeded"))  # its tables hold the one item that the report shows

    assert exit_code(as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "error"
    assert document["message"].startswith("The tables and the counts of run ")
    assert environment.up


@pytest.mark.parametrize(
    ("stays_up", "says"),
    [
        (False, "The local environment ended without being stopped."),
        (True, "The local AWS refused a request: Could not connect"),
    ],
)
def test_a_lost_connection_is_explained_by_the_environment(
    environment: FakeEnvironment, capsys: Captured, stays_up: bool, says: str
) -> None:
    def vanish() -> None:
        environment.up = stays_up
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:4566")

    environment.deployment = vanish

    assert exit_code() == 1
    assert capsys.readouterr().err.startswith(f"error: {says}")


def test_nothing_to_tidy_up_is_said_so() -> None:
    demonstration = Demonstration(cast(Any, FakeEnvironment()), 10, as_json=False)

    assert demonstration.tidy_up() == "nothing was started"
