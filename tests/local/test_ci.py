"""Continuous integration: its choice of Pythons, and the commands that it runs on each."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.local.checkout import make_command
from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROMISED = [name.rsplit(" ", 1)[1] for name in PROJECT["classifiers"] if "Python :: 3." in name]
# Stands in for each tool: records its calls.
LOGGED = 'echo "$(basename "$0") $*" >> "$LOG"'


def add_python(folder: Path, version: str, *, name: str = "", complete: bool = True) -> Path:
    """A Python that can say its version, if it has the modules that it must import."""
    path = folder / (name or f"python{version}")
    make_command(path.parent, path.name, f"echo {version}" if complete else "exit 1")
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with nothing but the usual commands, none of them a Python."""
    (tmp_path / "bin").mkdir()
    for name in [
        "sh",
        "bash",
        "ls",
        "sort",
        "grep",
        "uniq",
        "sed",
        "tar",
        "ln",
        "rm",
        "mkdir",
        "mktemp",
        "dirname",
        "basename",
    ]:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def run(machine: Path, *command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = f"{machine}/first:{machine}/second:{machine}/bin"
    variables = {"PATH": path, "HOME": str(machine), "LOG": f"{machine}/log"}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


def choose(machine: Path) -> subprocess.CompletedProcess[str]:
    return run(machine, "sh", ".ci/pythons.sh", "3.11", "3.12", "3.13", "3.14")


def test_oldest_usual_and_newest_are_chosen(machine: Path) -> None:
    pythons = {version: add_python(machine / "first", version) for version in ("3.11", "3.12", "3.13", "3.14")}

    done = choose(machine)

    assert done.stdout.splitlines() == [f"{version} {pythons[version]}" for version in ("3.11", "3.13", "3.14")]
    assert f"found Python 3.12: {pythons['3.12']}" in done.stderr
    assert "not found" not in done.stderr


@pytest.mark.parametrize(("here", "missing"), [("3.12", "3.13 3.14"), ("3.13", "3.12 3.14"), ("3.14", "3.12 3.13")])
def test_one_newer_is_enough_and_what_is_missing_is_said(machine: Path, here: str, missing: str) -> None:
    oldest, newer = add_python(machine / "first", "3.11"), add_python(machine / "second", here)

    done = choose(machine)

    assert done.stdout == f"3.11 {oldest}\n{here} {newer}\n"
    assert f"not found: Python {missing}\n" in done.stderr


@pytest.mark.parametrize("here", [(), ("3.11",), ("3.12", "3.13", "3.14")])
def test_fewer_than_two_fail(machine: Path, here: tuple[str, ...]) -> None:
    for version in here:
        add_python(machine / "first", version)

    done = choose(machine)

    assert (done.returncode, done.stdout) == (1, "")
    assert "Python 3.11 and a newer one are needed" in done.stderr


def test_shims_and_incomplete_pythons_are_passed_over(machine: Path) -> None:
    add_python(machine / "first", "3.11", complete=False)
    add_python(machine / "first", "3.12", name="python3.13")
    oldest, newer = add_python(machine / "second", "3.11"), add_python(machine / "second", "3.13")

    assert choose(machine).stdout == f"3.11 {oldest}\n3.13 {newer}\n"


def test_pyenv_has_the_newest_patch_of_each(machine: Path) -> None:
    for patch in ("3.13.2", "3.13.10", "3.13.9", "3.11.7"):
        add_python(machine / ".pyenv/versions" / patch / "bin", patch.rsplit(".", 1)[0], name="python")

    chosen = [line.split("/versions/")[1] for line in choose(machine).stdout.splitlines()]

    assert chosen == ["3.11.7/bin/python", "3.13.10/bin/python"]


def test_newer_pythons_get_a_copy_of_the_checkout(machine: Path) -> None:
    checkout = machine / "a checkout"
    for name in (".ci/run", ".ci/pythons.sh", "pyproject.toml"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    make_command(checkout / ".venv/bin", "python", "exit 9")  # isn't taken into the copy
    make_command(machine, "log-it", LOGGED)
    make_command(
        machine / "bin",
        "make",
        f'{LOGGED}\n[ "$1" != -C ] || {{ [ -f "$2/pyproject.toml" ] && mkdir -p "$2/.venv/bin" && '
        f'ln -s {machine}/log-it "$2/.venv/bin/python"; }}',
    )
    oldest, newer = add_python(machine / "first", "3.11"), add_python(machine / "first", "3.13")

    done = run(machine, str(checkout / ".ci/run"), cwd=machine)

    assert done.returncode == 0, done.stderr
    calls = re.sub(r"-C \S+/3\.13 ", "-C COPY ", (machine / "log").read_text()).splitlines()
    assert calls == [
        f"make check PYTHON={oldest}",
        f"make test PYTHON={oldest}",
        f"make -C COPY pipelines PYTHON={newer}",
        "python -m pytest tests/unit tests/infrastructure/test_app.py tests/infrastructure/test_bundling.py "
        "tests/infrastructure/test_grammar.py tests/docs --ignore=tests/docs/test_typed.py -n 3 --dist loadfile",
    ]
    assert done.stdout.endswith("all on Python 3.11; unit tests, syntheses, examples on 3.13.\n")


def test_failing_tests_of_a_newer_python_fail_it(machine: Path) -> None:
    checkout = machine / "checkout"
    shutil.copytree(ROOT / ".ci", checkout / ".ci")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    make_command(machine / "bin", "make", '[ "$1" != -C ]')
    add_python(machine / "first", "3.11")
    add_python(machine / "first", "3.14")

    assert run(machine, str(checkout / ".ci/run")).returncode != 0


def test_set_up_knows_every_promised_python() -> None:
    names = set(re.findall(r"python(3\.\d+)", (ROOT / "requirements/python.sh").read_text()))

    assert names == set(PROMISED)
    assert PROJECT["requires-python"] == f">={PROMISED[0]}"


def test_fresh_machine_needs_a_release_and_root(machine: Path) -> None:
    script = "tests/fresh/debian.sh"
    (machine / "bin/id").unlink(missing_ok=True)
    make_command(machine / "bin", "id", "echo 1000")

    without, as_user = run(machine, "sh", script), run(machine, "sh", script, "trixie")

    assert (without.returncode, as_user.returncode) == (2, 1)
    assert f"Usage: sh {script} RELEASE" in without.stderr
    assert f"sudo sh {script} trixie" in as_user.stderr
