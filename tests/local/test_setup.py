"""The set-up: locks that hold everywhere, scripts that explain themselves, and no work when nothing has changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest

from etl_cli.local.corrections.upstream import MINISTACK_VERSION
from tests.local.checkout import copy_set_up, make_command, planned
from tests.support import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def requirements(lock: Path) -> dict[str, str]:
    """The pinned version of each package in a lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def test_there_is_a_lock_for_each_source() -> None:
    assert [lock.stem for lock in LOCKS] == sorted(source.stem for source in (ROOT / "requirements").glob("*.in"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.stem))
def test_lock_pins_every_package_by_hash_and_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text)

    assert requirements(lock)
    for block in blocks[1:] if blocks[0].startswith("#") else blocks:
        assert re.match(r"[a-z0-9._-]+==", block), block
        assert "--hash=sha256:" in block, block
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("folder", [".", "tests/browser"])
def test_package_lock_names_no_registry_and_pins_every_package(folder: str) -> None:
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]

    for name, package in packages.items():
        if name:
            assert "resolved" not in package, name
            assert package["integrity"].startswith("sha512-"), name


def test_what_is_installed_together_has_the_same_versions() -> None:
    runtime, demo, dev, aws = (
        requirements(ROOT / f"requirements/{name}.txt") for name in ("runtime", "demo", "dev", "aws")
    )

    assert runtime.items() <= demo.items() <= dev.items()
    assert {name: dev[name] for name in aws.keys() & dev.keys()}.items() <= aws.items()


def test_demo_installs_nothing_for_tests_or_checks() -> None:
    demo = requirements(ROOT / "requirements/demo.txt")

    assert demo.keys().isdisjoint({"awscli", "cryptography", "hypothesis", "mypy", "pytest", "ruff", "trustme"})


@pytest.mark.parametrize(
    ("goal", "locks"), [("demo", {"uv", "demo", "node"}), ("setup", {"uv", "demo", "node", "dev", "aws"})]
)
def test_a_goal_installs_its_own_part(tmp_path: Path, goal: str, locks: set[str]) -> None:
    copy_set_up(tmp_path / "checkout")
    for name in ("npm", "node", "aws"):
        make_command(tmp_path, name, "exit 127")

    commands = planned(tmp_path / "checkout", goal, path=f"{tmp_path}:/usr/bin:/bin")

    assert set(re.findall(r"requirements/(\w+)\.txt", commands)) == locks
    assert ("pip sync" in commands) == (goal == "setup")  # the demo removes nothing of development's


def test_sizes_are_as_the_set_up_says() -> None:
    said = dict(re.findall(r"^(\w+_MB) := (\d+)$", MAKEFILE, re.MULTILINE))
    demo = requirements(ROOT / "requirements/demo.txt").keys() & {each.name.lower() for each in distributions()}
    files = (file for name in demo for file in (distribution(name).files or ()) if file.suffix != ".pyc")
    sizes = [located.stat().st_size for file in files if (located := Path(str(file.locate()))).is_file()]
    npm = subprocess.check_output(["du", "-sm", "node_modules"], cwd=ROOT, text=True)  # noqa: S607

    assert sum(sizes) / 1e6 == pytest.approx(int(said["DEMO_MB"]), rel=0.15)
    assert int(npm.split()[0]) == pytest.approx(int(said["CLI_MB"]), rel=0.15)


def test_locked_ministack_is_the_one_that_is_corrected() -> None:
    assert requirements(ROOT / "requirements/demo.txt")["ministack"] == MINISTACK_VERSION


def run_script(name: str, *arguments: str, path: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{path}:/usr/bin:/bin", "HOME": "/nowhere", **variables}
    command = ["/bin/sh", str(ROOT / "requirements" / name), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def fake_python(folder: Path, name: str, version: str, *, complete: bool = True) -> None:
    """A Python that knows its version and whether it can make virtual environments."""
    old = int(tuple(map(int, version.split("."))) < (3, 11))
    answers = f"*print*) echo {version};; *version_info*) exit {old};; *venv*) exit {int(not complete)};;"
    make_command(folder, name, f'case "$2" in {answers} esac')


def hide_pythons(folder: Path) -> None:
    """Have none of the machine's own Pythons found."""
    for name in ("python", "python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        make_command(folder, name, "exit 127")


def test_first_python_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    hide_pythons(tmp_path)
    fake_python(tmp_path, "python3", "3.9.18")
    fake_python(tmp_path, "python3.12", "3.12.1")

    assert run_script("python.sh", path=str(tmp_path)).stdout == f"{tmp_path}/python3.12\n"


def test_old_pythons_are_refused_with_what_was_found(tmp_path: Path) -> None:
    hide_pythons(tmp_path)
    fake_python(tmp_path, "python3", "3.9.18")

    done = run_script("python.sh", path=str(tmp_path))

    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, found: python3=3.9.18." in done.stderr
    assert "make setup PYTHON=" in done.stderr


def test_a_python_that_is_named_may_have_a_space_in_its_path(tmp_path: Path) -> None:
    hide_pythons(tmp_path)
    fake_python(tmp_path / "a folder", "python3", "3.12.1")

    done = run_script("python.sh", f"{tmp_path}/a folder/python3", path=str(tmp_path))

    assert done.stdout == f"{tmp_path}/a folder/python3\n"


@pytest.mark.parametrize(("named", "anew"), [("", False), ("3.11.7 (main)", False), ("3.13.0 (main)", True)])
def test_another_python_that_is_named_makes_the_environment_anew(tmp_path: Path, named: str, anew: bool) -> None:
    checkout = tmp_path / "checkout"
    copy_set_up(checkout)
    make_command(checkout / ".venv" / "bin", "python", "echo '3.11.7 (main)'")
    (checkout / ".venv" / ".stamps").mkdir()
    (checkout / ".venv" / ".stamps" / "venv").write_text(str(checkout))
    make_command(tmp_path / "a folder", "python3", f"echo '{named}'")
    python = [f"PYTHON={tmp_path}/a folder/python3"] if named else []

    commands = planned(checkout, "demo", *python, path=f"{tmp_path}:/usr/bin:/bin")

    assert ("-m venv" in commands) == anew


def test_python_without_venv_is_refused_with_a_remedy(tmp_path: Path) -> None:
    hide_pythons(tmp_path)
    fake_python(tmp_path, "python3", "3.11.2", complete=False)

    done = run_script("python.sh", path=str(tmp_path))

    assert done.returncode == 1
    assert "python3 3.11.2 has no module venv or ensurepip" in done.stderr
    assert "make setup PYTHON=" in done.stderr
    assert "apt-get" not in done.stderr  # it isn't Debian's


def test_debians_python_without_venv_is_given_its_package(tmp_path: Path) -> None:
    hide_pythons(tmp_path)
    fake_python(tmp_path, "python3", "3.13.5", complete=False)
    make_command(tmp_path, "dpkg", f'[ "$2" = {tmp_path}/python3 ]')

    assert "apt-get install python3.13-venv" in run_script("python.sh", path=str(tmp_path)).stderr


def test_a_python_with_venv_is_preferred_to_one_without(tmp_path: Path) -> None:
    hide_pythons(tmp_path)
    fake_python(tmp_path, "python3", "3.13.5", complete=False)
    fake_python(tmp_path, "python3.12", "3.12.1")

    assert run_script("python.sh", path=str(tmp_path)).stdout == f"{tmp_path}/python3.12\n"


def test_uv_gets_the_index_of_pip_and_no_constraint_of_the_users(tmp_path: Path) -> None:
    scripts, commands = tmp_path / "requirements", tmp_path / ".venv" / "bin"
    scripts.mkdir()
    commands.mkdir(parents=True)
    for name in ("uv.sh", "machine.sh"):
        shutil.copy(ROOT / "requirements" / name, scripts)
    make_command(commands, "uv", "env")
    make_command(commands, "python", "echo mirror-of-pip")
    environment = {"PATH": "/usr/bin:/bin", "UV_CONSTRAINT": "c.txt", "SSL_CERT_FILE": str(commands / "uv")}

    def seen(**variables: str) -> dict[str, str]:
        command = ["/bin/sh", str(scripts / "uv.sh")]
        done = subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=True)
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    assert seen()["UV_DEFAULT_INDEX"] == "mirror-of-pip"
    assert seen(PIP_INDEX_URL="mirror-by-variable")["UV_DEFAULT_INDEX"] == "mirror-by-variable"
    assert "UV_DEFAULT_INDEX" not in seen(UV_INDEX_URL="mirror-of-uv")
    assert "UV_CONSTRAINT" not in seen()
    assert seen()["UV_SYSTEM_CERTS"] == "1"
    assert seen(UV_SYSTEM_CERTS="false")["UV_SYSTEM_CERTS"] == "false"


def make(*arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not (ROOT / ".venv/bin/node").exists(), reason="Node.js is the machine's own")
def test_pytest_finds_the_nodejs_that_set_up_installed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "tests/infrastructure/test_settings.py"]
    variables = {"PATH": str(tmp_path), "HOME": str(tmp_path)}

    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_second_set_up_has_nothing_to_do() -> None:
    make("setup")

    commands = make("--dry-run", "setup")

    assert "Set up." in commands
    assert "step.sh" not in commands


def test_help_lists_every_target() -> None:
    targets = re.findall(r"^\.PHONY: (\w+)$", MAKEFILE, re.MULTILINE)
    listed = dict(re.findall(r"^  make (\w+) +(\S.*)$", make("help"), re.MULTILINE))

    assert {"setup", "demo", "test", "check", "synth", "lock", "clean", "help"} <= set(targets)
    assert set(listed) == set(targets)


def test_demo_shows_commands_as_the_user_must_type_them() -> None:
    assert f'PATH="{ROOT}' not in make("--dry-run", "demo")
    assert ".venv/bin/etl demo" in make("--dry-run", "demo")


def test_readme_states_the_disk_that_the_steps_sum_up_to() -> None:
    said = {name: int(size) for name, size in re.findall(r"^(\w+)_MB := (\d+)$", MAKEFILE, re.MULTILINE)}
    demo = sum(said[name] for name in ("VENV", "UV", "DEMO", "NODE", "CLI"))
    stated = [int(size) for size in re.findall(r"(\d+) MB", (ROOT / "README.md").read_text())]

    bytecode = 1.08  # which Python adds
    for size in (demo, demo - said["NODE"], demo + said["DEV"] + said["AWS"]):
        assert any(size < each < size * bytecode for each in stated), (size, stated)
