"""A step of the set-up: its size, its time, and its failure in one line."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support import ROOT

NOBODY = 65534


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder outside of pytest's, which other users may not enter."""
    folder = Path(mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def step(folder: Path, *command: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
    script = Path(shutil.copy(ROOT / "requirements/step.sh", folder))  # a folder that others may read
    script.chmod(0o644)
    words = ["/bin/sh", str(script), "Installing a thing", "5", *command]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, user=user)


def test_a_step_says_its_size_and_its_time(tmp_path: Path) -> None:
    command = (
        "mkdir .venv && head -c 3000000 /dev/urandom >.venv/file && mkdir .venv/.cache && cp .venv/file .venv/.cache"
    )

    done = step(tmp_path, "sh", "-c", f"echo noise; {command}")

    first, second = done.stdout.splitlines()
    assert first == "Installing a thing: about 5 MB"
    assert re.fullmatch(r"Installing a thing: [23] MB in \d+ s", second)
    assert not (tmp_path / ".venv" / ".cache").exists()


def on_a_terminal(folder: Path, mb: int, seconds: int) -> str:
    """All that a step of this size and time prints on a terminal."""
    leader, follower = pty.openpty()
    command = ["/bin/sh", str(ROOT / "requirements/step.sh"), "Installing", f"{mb}", "sleep", f"{seconds}"]
    subprocess.run(command, cwd=folder, stdout=follower, check=True)
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(leader, 1000):
            shown += piece
    os.close(leader)
    return shown.decode()


def test_a_step_counts_on_a_terminal(tmp_path: Path) -> None:
    shown = on_a_terminal(tmp_path, 5, 3)

    assert "Installing: 0 of about 5 MB, 0 s" in shown
    assert re.search(r"Installing: 0 of about 5 MB, [1-9] s", shown)
    assert shown.count("\n") == 1


def test_a_steps_last_words_cover_all_that_was_on_the_line(tmp_path: Path) -> None:
    *before, last = on_a_terminal(tmp_path, 100, 2).rstrip("\r\n").split("\r")

    assert before[-1].startswith("Installing: 0 of about 100 MB")
    assert len(last) >= max(map(len, before))


def test_each_step_of_the_set_up_fits_80_columns() -> None:
    rules = (ROOT / "Makefile").read_text()
    known = {
        "$(if $(AWS_LOCK), and the AWS CLI)": " and the AWS CLI",
        "$(NODE)": "system",
        "$$(node --version)": "v24.19.0",
        "$$python": "/usr/bin/python3",
    }
    for variable, words in known.items():
        rules = rules.replace(variable, words)

    steps = re.findall(r'\$\(STEP\) "(.+?)" ', rules)

    assert len(steps) >= 7
    assert [words for words in steps if len(f"{words}: 300 of about 300 MB, 100 s ") >= 80] == []


@pytest.mark.parametrize(
    "said",
    [
        "No space left on device",
        "No space left on device\n\nTraceback (most recent call last):\n  File x\nError: exit status 1",
        "Traceback (most recent call last):\n  File x\nNo space left on device",
    ],
)
def test_a_step_that_fails_says_why_in_one_line(tmp_path: Path, said: str) -> None:
    done = step(tmp_path, "sh", "-c", 'echo "$0" >&2; exit 7', said)

    assert done.returncode == 7
    assert done.stderr == "error: Installing a thing failed: No space left on device\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_checkout_that_may_not_be_written_is_said_in_one_line(anybodys: Path) -> None:
    done = step(anybodys, "touch", "done", user=NOBODY)

    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(rf"error: \w+ may not write into {anybodys}\. Work in a copy .+ owner\.\n", done.stderr)
