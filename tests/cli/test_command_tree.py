"""The whole tree of commands: each help is complete, plain and fits, and a new command can't be forgotten."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

from etl_cli.app import app
from etl_cli.commands import local, preview, quarantine
from etl_cli.terminal.exit_codes import EXIT_INTERRUPTED
from etl_cli.terminal.typer_app import EXITS, Commands, verb
from tests.support import ROOT

ETL = ROOT / ".venv" / "bin" / "etl"


def tree(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from tree(below, *path, name)


PATHS = list(tree(typer.main.get_command(app)))
GROUPS = {path[:-1] for path in PATHS}
OWN_CODES = {local.EXIT_DOWN, local.EXIT_DIED, preview.EXIT_REJECTED, quarantine.EXIT_NOT_LOADED}


def shown(path: tuple[str, ...], width: int = 80) -> str:
    done = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": str(width), "TERMINAL_WIDTH": str(width)})
    assert done.exit_code == 0
    return done.output


def codes(text: str) -> dict[int, str]:
    listed = re.search(r"Exit codes: (.*?)(?:The others:|Examples:|$)", " ".join(text.split()))
    assert listed, text
    return {int(code): meaning for code, meaning in re.findall(r"(\d+) ([^·]+)", listed[1])}


def test_signals_have_their_codes() -> None:
    assert {EXIT_INTERRUPTED, 128 + signal.SIGTERM, 128 + signal.SIGHUP} < set(EXITS)


def test_the_tree_has_all_commands() -> None:
    assert {("run",), ("local", "env"), ("quarantine", "replay")} < set(PATHS)


def test_the_commands_own_help_has_all_exit_codes() -> None:
    assert set(codes(shown(()))) == set(EXITS)


@pytest.mark.parametrize("path", PATHS[1:], ids=" ".join)
def test_other_help_has_codes_of_its_own_and_names_that_of_all(path: tuple[str, ...]) -> None:
    text = " ".join(shown(path).split())

    assert ("Exit codes: " in text) == ("The others: etl --help" in text)
    assert "Exit codes: " not in text or set(codes(text)) < set(EXITS) | OWN_CODES


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (("local", "status"), local.EXIT_DOWN),
        (("local", "status"), local.EXIT_DIED),
        (("preview",), preview.EXIT_REJECTED),
        (("quarantine", "replay"), quarantine.EXIT_NOT_LOADED),
        (("run",), EXIT_INTERRUPTED),
    ],
)
def test_help_has_the_codes_of_the_commands_own(path: tuple[str, ...], code: int) -> None:
    assert codes(shown(path))[code]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_is_plain_and_fits(path: tuple[str, ...], width: int) -> None:
    text = shown(path, width)

    assert not re.findall(r"<(?:bool|int|str|float|path|file)\b[^>]*>", text)
    assert "…" not in text
    assert max(cell_len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("path", [path for path in PATHS if path not in GROUPS], ids=" ".join)
def test_help_ends_with_examples_of_the_command(path: tuple[str, ...]) -> None:
    text = " ".join(shown(path).split())

    assert " ".join(("etl", *path)) in text.split("Example", 1)[1]


def test_verbs_are_grouped_by_their_purpose() -> None:
    titles = re.findall(r"╭─ ([\w ]+) ─", shown(()))

    assert titles == ["Options", "Run", "Look", "Repair", "Develop", "This machine"]


def test_paragraphs_are_reflowed() -> None:
    commands = Commands("Has commands.")

    @verb(examples=("etl it",))
    def it() -> None:
        """Do it.

        A sentence that goes on
        in the source's next line.

        Another paragraph.
        """

    @verb(examples=("etl other",))
    def other() -> None:
        """Do the other."""

    commands.add(it, other)
    text = CliRunner().invoke(commands, ["it", "--help"]).output
    assert "A sentence that goes on in the source's next line.\n" in re.sub(r" +\n", "\n", text)
    assert "Another paragraph.\n" in re.sub(r" +\n", "\n", text)


def test_version_is_one_line() -> None:
    done = CliRunner().invoke(app, ["--version"])

    python = ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch(rf"etl \d+\.\d+\.\d+ \(Python {re.escape(python)}, CDK CLI \d+\.\d+\.\d+\)\n", done.output)


@pytest.mark.parametrize("typed", ["etl", ".venv/bin/etl"])
@pytest.mark.parametrize(
    ("words", "expected"), [(["quar"], ["quarantine"]), (["local", "st"], ["start", "stop", "status"])]
)
def test_bash_completes_commands(tmp_path: Path, typed: str, words: list[str], expected: list[str]) -> None:
    # Of a command that is typed as a path, bash takes the last part: its manual, Programmable Completion.
    script = tmp_path / "completion.sh"
    environment = {"PATH": f"{ETL.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    explicit = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # the shell is named, and isn't looked for
    source = subprocess.run(
        [ETL, "--show-completion", "bash"], env=environment | explicit, capture_output=True, text=True, check=True
    )
    script.write_text(source.stdout)
    function = re.search(r"-F (\w+) etl$", source.stdout, re.MULTILINE)
    assert function
    line = f"COMP_WORDS=({typed!r} {' '.join(words)}); COMP_CWORD={len(words)}; {function[1]} {typed!r}"

    done = subprocess.run(
        ["/bin/bash", "-c", f"source {shlex.quote(str(script))}; {line}; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
        cwd=ROOT,
        env=environment | {"LANG": os.environ.get("LANG", "C")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == expected


def test_a_home_that_takes_no_files_is_said_in_one_line() -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [ETL, "--install-completion", "bash"], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: /dev/null\S* can't be used: .+\.\n", done.stderr)
