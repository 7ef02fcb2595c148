"""The pages' commands, typed in their order into one shell, from `make demo` to `cdk destroy`, by `typist.py`."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.docs import typist
from tests.docs.typist import RULES, Command, Rule, Shell, Typed, Typist, commands, readers_environment, split, to_type
from tests.support import ROOT, make_home

PAGES = [ROOT / "README.md", ROOT / "docs" / "operations.md", ROOT / "docs" / "monitoring.md"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder of the test's own."""
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def typed(make_environment: Callable[[], LocalEnvironment], home: Path) -> list[Typed]:
    """All commands of the pages, typed; the environment that `make demo` starts is ended with the session."""
    folder = make_environment().state_dir
    # Other tests synthesize in this checkout at the same time: the CDK CLI gets a folder of its own.
    own = {"HOME": str(home), "TMPDIR": str(home), "ETL_LOCAL_DIR": str(folder), "CDK_OUTPUT": str(folder / "cdk.out")}
    with Shell(readers_environment(os.environ) | own) as shell:
        return list(Typist(shell).type_all(to_type(PAGES, long=False)))


@pytest.mark.timeout(900)
def test_each_command_does_what_its_page_says(typed: list[Typed]) -> None:
    faults = [f"{each.command.text}\n{each.fault}\n{each.answer.output}" for each in typed if each.fault]

    assert faults == [], "\n\n".join(faults)


@pytest.mark.parametrize(
    ("start", "times"), [("aws stepfunctions start-execution", 4), ("aws events put-events", 1), (r"\S*etl preview", 2)]
)
def test_what_is_to_be_typed_was_typed(typed: list[Typed], start: str, times: int) -> None:
    assert sum(bool(re.match(start, each.command.text)) for each in typed) >= times


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.pattern) for rule in RULES])
def test_each_rule_is_one_for_a_command_of_a_page(rule: Rule) -> None:
    # A replay is a line that another command offers.
    found = [command.rule for page in PAGES for command in commands(page)]
    assert rule in found or rule.pattern.endswith("replay")


def test_a_table_of_inputs_is_typed_too() -> None:
    found = [command.text for command in commands(ROOT / "README.md") if command.text.endswith("}'")]

    assert any("""--input '{"lookback_hours": 48}'""" in text for text in found)


def test_a_block_is_split_into_commands() -> None:
    block = "# about it\nA=1\necho \\\n  two\n\nfor X in 1 2\ndo\n  echo '\n$X'\ndone\n"

    assert list(split(block)) == [(1, "A=1"), (2, "echo \\\n  two"), (5, "for X in 1 2\ndo\n  echo '\n$X'\ndone")]
    with pytest.raises(ValueError, match="has no end"):
        list(split("if true\n"))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell whose `aws` prints the file `executions`, and whose `etl` and `cdk` print their arguments."""
    for name, script in (("aws", f"cat {tmp_path}/executions"), ("etl", 'echo "etl $@"'), ("cdk", 'echo "cdk $@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "executions").touch()
    with Shell({"PATH": f"{tmp_path}:{os.environ['PATH']}"}) as opened:
        yield opened


def fault_of(shell: Shell, text: str) -> str:
    return Typist(shell).type(Command("page", 1, text)).fault


def test_variables_last_and_exit_codes_are_told(shell: Shell) -> None:
    assert shell.type("A='x y'").code == 0
    assert shell.type('echo "$A"; false').output == "x y\n"
    assert shell.type("(exit 7)").code == 7


def test_nothing_that_is_typed_can_ask(shell: Shell) -> None:
    assert shell.type("read -r A").code == 1
    assert shell.type("echo on").output == "on\n"


def test_a_command_without_an_end_is_ended(shell: Shell) -> None:
    answer = shell.type("echo begun; sleep 60", seconds=1)

    assert (answer.code, answer.output) == (None, "begun\n")


def test_a_shell_that_was_started_in_the_background_hears_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typist, "WATCHED_SECONDS", 0.2)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Shell(os.environ) as shell:
            assert shell.type("sleep 60", seconds=10, endless=True).code == 130
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_endless_command_is_interrupted_until_it_ends(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typist, "WATCHED_SECONDS", 3.0)
    monkeypatch.setattr(typist, "AGAIN_SECONDS", 1.0)
    program = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('once')\ntime.sleep(60)"
    (tmp_path / "twice.py").write_text(program)
    answer = shell.type(f"python3 {tmp_path}/twice.py; echo $?", endless=True)

    assert (answer.code, answer.output.splitlines()[0], answer.output.splitlines()[-1]) == (0, "once", "130")
    assert shell.type("echo on").output == "on\n"


def test_another_exit_code_than_the_documented_one_is_a_fault(shell: Shell) -> None:
    assert fault_of(shell, "true") == ""
    assert fault_of(shell, "(exit 3)") == "exit code 3, and 0 is documented"


def test_an_output_without_what_matters_is_a_fault(shell: Shell) -> None:
    assert "'^No gaps'" in fault_of(shell, "etl gaps --since 2026-01-01")


@pytest.mark.parametrize(
    ("states", "fault"), [("SUCCEEDED FAILED", ""), ("FAILED SUCCEEDED", "the execution that it started FAILED")]
)
def test_an_execution_that_is_started_has_to_succeed(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, states: str, fault: str
) -> None:
    monkeypatch.setattr(typist, "LOOK_SECONDS", 0.0)
    executions = tmp_path / "executions"
    executions.write_text("SUCCEEDED")
    (tmp_path / "then").write_text(states)
    (tmp_path / "aws").write_text(
        f'#!/bin/sh\ncase "$2" in start*) cp {tmp_path}/then {executions};; *) cat {executions};; esac\n'
    )

    assert fault_of(shell, "aws stepfunctions start-execution --input '{}'") == fault


def test_what_a_person_would_be_asked_is_typed_with_the_answer(shell: Shell) -> None:
    answer = Typist(shell).type(Command("page", 1, "cdk destroy EtlPipelineStack")).answer

    assert answer.output == "cdk destroy EtlPipelineStack --force\n"


def test_lines_that_a_command_offers_are_typed_next(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "etl").write_text('#!/bin/sh\necho "The records: etl show latest nothing unaccounted for"\n')
    typed = list(Typist(shell).type_all([Command("page", 1, "etl quarantine list")]))

    assert [each.command.text for each in typed] == [
        "etl quarantine list",
        "etl show latest nothing unaccounted for",
    ]


def test_all_that_stays_to_the_end_is_typed_at_the_end() -> None:
    given = to_type(PAGES, long=False)

    assert given[0].text == "make demo"
    assert given[-1].text == "cdk destroy EtlPipelineStack"
    assert "make test" not in {command.text for command in given}
    assert "make test" in {command.text for command in to_type(PAGES, long=True)}
