"""`etl local` as it is typed: its output for people and programs, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.conftest import MakeEnvironment
from tests.support import ROOT

ETL = ROOT / ".venv" / "bin" / "etl"
TYPED = shlex.quote(str(ETL))

# Where the machine has an AWS CLI of its own, the checkout has none.
PATH = f"/usr/bin:/bin:{Path(shutil.which('aws') or '/').parent}"
LOCAL_COMMANDS = ("start", "stop", "reset", "status", "env", "deploy", "destroy")


def etl(*arguments: str, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command, its output not being a terminal."""
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "COLUMNS": "120", **variables}
    return subprocess.run(
        [ETL, *arguments], cwd=folder or ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def folder(make_environment: MakeEnvironment) -> Iterator[str]:
    """The state folder, with a space in its name, of an environment that the command has started."""
    parent = make_environment().state_dir
    environment = LocalEnvironment(ROOT, parent / "with a space")
    assert etl("local", "start", ETL_LOCAL_DIR=str(environment.state_dir)).returncode == 0
    yield str(environment.state_dir)
    environment.stop()


def test_help_lists_the_commands() -> None:
    assert "local" in etl("--help").stdout
    shown = etl("local", "--help").stdout
    for name in LOCAL_COMMANDS:
        assert re.search(rf"^. {name} ", shown, re.MULTILINE)


@pytest.mark.parametrize("name", LOCAL_COMMANDS)
def test_help_of_each_command_has_an_example(name: str) -> None:
    shown = etl("local", name, "--help").stdout

    assert re.search(r"Examples?:", shown)
    assert f"etl local {name}" in shown or f"$(etl local {name})" in shown


def test_wrong_usage_exits_with_2() -> None:
    assert etl("local", "fly").returncode == 2
    assert etl("local", "start", "--port", "0").returncode == 2


def test_status_of_a_stopped_environment_exits_with_3(tmp_path: Path) -> None:
    for_people = etl("local", "status", ETL_LOCAL_DIR=str(tmp_path))
    for_programs = etl("local", "status", "--json", ETL_LOCAL_DIR=str(tmp_path))

    assert for_people.returncode == for_programs.returncode == 3
    assert for_people.stdout.startswith("The local environment is down.")
    assert "Start it: .venv/bin/etl local start" in for_people.stdout
    assert json.loads(for_programs.stdout)["state"] == "down"
    assert json.loads(for_programs.stdout)["stacks"] == []


@pytest.mark.parametrize("name", ["env", "deploy", "destroy"])
def test_commands_that_need_the_environment_say_it_is_down(name: str, tmp_path: Path) -> None:
    done = etl("local", name, ETL_LOCAL_DIR=str(tmp_path))

    assert done.returncode == 1
    assert done.stdout == ("false\n" if name == "env" else "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith(" .venv/bin/etl local start\n")


def test_a_script_ends_at_an_environment_that_is_not_up(tmp_path: Path) -> None:
    script = f'set -e; eval "$({TYPED} local env)"; echo went on'
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "ETL_LOCAL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")


def test_stop_of_a_stopped_environment_is_no_error(tmp_path: Path) -> None:
    done = etl("local", "stop", ETL_LOCAL_DIR=str(tmp_path))

    assert done.returncode == 0
    assert "wasn't up" in done.stdout


def test_status_of_a_running_environment(folder: str) -> None:
    for_people = etl("local", "status", ETL_LOCAL_DIR=folder)
    for_programs = etl("local", "status", "--json", ETL_LOCAL_DIR=folder)

    assert for_people.returncode == for_programs.returncode == 0
    found = json.loads(for_programs.stdout)
    assert found["state"] == "up"
    assert found["endpoint"] == f"http://127.0.0.1:{found['port']}"
    assert found["endpoint"] in for_people.stdout
    assert "\x1b" not in for_people.stdout


def test_start_of_a_running_environment_says_so(folder: str) -> None:
    done = etl("local", "start", ETL_LOCAL_DIR=folder)

    assert done.returncode == 0
    assert "already up: http://127.0.0.1:" in done.stdout


def test_env_makes_the_aws_cli_of_a_shell_use_the_environment(folder: str) -> None:
    use = "aws s3 mb s3://from-the-shell && aws s3 ls && command -v cdk && command -v python"
    script = f'cd / && eval "$({TYPED} local env)" && {use}'

    done = subprocess.run(
        ["sh", "-c", script],  # noqa: S607
        env={"PATH": PATH, "HOME": "/nowhere", "ETL_LOCAL_DIR": folder, "AWS_PROFILE": "production"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-3].endswith(" from-the-shell")
    assert done.stdout.splitlines()[-2:] == [str(ROOT / "node_modules/.bin/cdk"), str(ROOT / ".venv/bin/python")]


def plain(folder: str) -> dict[str, str]:
    """A shell's environment without any setting of AWS."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "COLUMNS": "200", "ETL_LOCAL_DIR": folder}


@pytest.mark.parametrize("words", [("run",), ("runs", "--json"), ("plan",), ("seed",), ("doctor",), ("gaps",)])
def test_a_plain_shell_deploys_into_the_environment(folder: str, words: tuple[str, ...]) -> None:
    done = subprocess.run([ETL, *words], cwd=ROOT, env=plain(folder), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("Using the local environment at http://127.0.0.1:")
    assert ".venv/bin/etl local deploy" in done.stdout + done.stderr
    assert "cdk deploy" not in done.stdout + done.stderr
    assert words[0] == "doctor" or not done.stdout


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_finds_its_way_back_to_what_it_had(folder: str, shell: str) -> None:
    use, leave = f'eval "$({TYPED} local env)"', f'eval "$({TYPED} local env --unset)"'
    look = "echo; env | sort | grep -v '^_='"
    had = {
        "PATH": f"/usr/bin:{ROOT}/.venv/bin:/bin",
        "AWS_PROFILE": 'it\'s "mine" $HOME',
        "AWS_SECRET_ACCESS_KEY": "5f0c1a7e",
        "NO_PROXY": "example.com",
        "NODE_EXTRA_CA_CERTS": "/nowhere",
    }

    done = subprocess.run(
        [shell, "-c", f"{look}; {use}; {use}; {look}; {leave}; {look}; {leave}; {look}"],
        env={"HOME": "/nowhere", "ETL_LOCAL_DIR": folder, **had},
        capture_output=True,
        text=True,
        check=True,
    )

    before, within, after, again = done.stdout.strip().split("\n\n")
    assert "AWS_PROFILE=it's" in before
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:" in within
    assert "\nAWS_PROFILE=" not in within
    assert after == again == before


def test_a_strict_environment_is_used_from_a_shell_as_any_other(make_environment: MakeEnvironment) -> None:
    environment = make_environment()
    folder = str(environment.state_dir)
    started = etl("local", "start", "--strict", ETL_LOCAL_DIR=folder)

    done = subprocess.run(
        ["/bin/sh", "-c", f'eval "$({TYPED} local env)" && aws s3 mb s3://over-tls && aws s3 ls'],
        env={"PATH": PATH, "HOME": "/nowhere", "ETL_LOCAL_DIR": folder, "AWS_CA_BUNDLE": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert started.stdout.startswith("The local environment is up: https://127.0.0.1:")
    assert done.stdout.endswith(" over-tls\n")
    assert "strict: IAM and bucket policies are enforced" in etl("local", "status", ETL_LOCAL_DIR=folder).stdout
    environment.stop()


def test_env_as_json_has_the_same_variables(folder: str) -> None:
    lines = etl("local", "env", ETL_LOCAL_DIR=folder).stdout.splitlines()
    variables = json.loads(etl("local", "env", "--json", ETL_LOCAL_DIR=folder).stdout)

    exported = [line.removeprefix("export ").partition("=")[0] for line in lines if line.startswith("export ")]
    assert [name for name in exported if not name.startswith("ETL_BEFORE_")] == list(variables)
    assert variables["AWS_DEFAULT_REGION"] == "us-east-1"


def test_context_without_a_value_is_refused(folder: str) -> None:
    done = etl("local", "deploy", "--context", "etl:lookback_hours", ETL_LOCAL_DIR=folder)

    assert done.returncode == 1
    assert "--context takes KEY=VALUE, got 'etl:lookback_hours'" in done.stderr


def test_messages_name_the_command_by_its_path_from_elsewhere(tmp_path: Path) -> None:
    done = etl("local", "status", folder=tmp_path, ETL_LOCAL_DIR=str(tmp_path))

    assert f"Start it: {TYPED} local start" in done.stdout


def test_a_shell_with_an_ended_environment_gets_a_remedy(folder: str) -> None:
    variables = json.loads(etl("local", "env", "--json", ETL_LOCAL_DIR=folder).stdout) | {"ETL_LOCAL_DIR": folder}
    variables |= {"PATH": "/usr/bin:/bin", "AWS_MAX_ATTEMPTS": "1"}
    assert "is up and empty" in etl("local", "reset", ETL_LOCAL_DIR=folder).stdout

    after_reset = etl("runs", **variables)
    assert after_reset.returncode == 1
    assert "does not know the shell's access key.\n" in after_reset.stderr
    assert after_reset.stderr.splitlines()[-1] == '  eval "$(.venv/bin/etl local env)"'

    assert etl("local", "stop", ETL_LOCAL_DIR=folder).stdout == "The local environment is stopped.\n"
    assert etl("local", "status", ETL_LOCAL_DIR=folder).returncode == 3
    after_stop = etl("runs", **variables)
    assert after_stop.returncode == 1
    assert after_stop.stderr.startswith(
        f"error: The local environment does not answer at {variables['AWS_ENDPOINT_URL']}"
    )
    assert after_stop.stderr.splitlines()[-3:] == [
        "  .venv/bin/etl local start",
        '  eval "$(.venv/bin/etl local env)"',
        "  .venv/bin/etl local deploy",
    ]
