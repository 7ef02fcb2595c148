"""The set-up on odd machines: it works, or says in one line why not and what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.local.checkout import copy_set_up, make_command, planned
from tests.support import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the set-up's scripts, and tools that print their environment."""
    folder = tmp_path / "checkout"
    copy_set_up(folder)
    make_command(folder / ".venv" / "bin", "uv", "env")
    make_command(folder / ".venv" / "bin", "python", 'case "$3" in config) exit 1;; *) env;; esac')
    make_command(folder / ".venv" / "bin", "npm", "env")
    return folder


def run(script: str, checkout: Path, **variables: str) -> dict[str, str]:
    """Run a script of the set-up, and give the environment that its tool has."""
    environment = {"PATH": f"{checkout}/.venv/bin:/usr/bin:/bin", "HOME": "/nowhere", **variables}
    command = ["/bin/sh", f"requirements/{script}", "some", "words"]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("script", "dropped", "kept"),
    [
        (
            "uv.sh",
            [
                "UV_CONSTRAINT",
                "UV_PYTHON",
                "UV_NO_BINARY",
                "UV_DRY_RUN",
                "UV_TARGET",
                "UV_SYSTEM_PYTHON",
                "UV_OVERRIDE",
            ],
            ["UV_DEFAULT_INDEX", "UV_INDEX_INTERNAL_PASSWORD", "UV_HTTP_TIMEOUT", "UV_CACHE_DIR", "HTTPS_PROXY"],
        ),
        (
            "pip.sh",
            ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_NO_BINARY", "PIP_DRY_RUN", "PIP_REQUIREMENT", "pip_target"],
            ["PIP_INDEX_URL", "PIP_CERT", "PIP_PROXY", "PIP_CONFIG_FILE", "HTTPS_PROXY"],
        ),
        (
            "npm.sh",
            ["NODE_ENV", "npm_config_omit", "NPM_CONFIG_OMIT", "npm_config_production", "NPM_CONFIG_PREFIX"],
            ["npm_config_registry", "NPM_CONFIG_CAFILE", "npm_config_https_proxy", "npm_config_cache", "HTTPS_PROXY"],
        ),
    ],
)
def test_the_machines_mirrors_count_and_no_other_setting(
    checkout: Path, script: str, dropped: list[str], kept: list[str]
) -> None:
    environment = run(script, checkout, **dict.fromkeys([*dropped, *kept], "given"))

    assert not [name for name in dropped if environment.get(name) == "given"]
    assert [name for name in kept if environment.get(name) != "given"] == []


def test_users_npm_settings_make_no_other_installation(tmp_path: Path) -> None:
    """A real npm: the package is a folder beside, so that nothing is downloaded."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    shutil.copytree(ROOT / "requirements", checkout / "requirements")
    (checkout / ".venv").mkdir()
    for folder, content in (
        (checkout / "tool", {"name": "tool", "version": "1.0.0", "bin": "tool.js"}),
        (checkout, {"name": "project", "devDependencies": {"tool": "file:tool"}}),
    ):
        folder.mkdir(exist_ok=True)
        (folder / "package.json").write_text(json.dumps(content))
    (checkout / "tool" / "tool.js").write_text("#!/usr/bin/env node\nconsole.log('tool')\n")
    home.mkdir()
    (home / ".npmrc").write_text("omit[]=dev\nglobal=true\ndry-run=true\nbin-links=false\npackage-lock=false\n")
    path = os.environ["PATH"]
    plain = {"PATH": path, "HOME": str(tmp_path)}
    command = ["/bin/sh", "requirements/npm.sh"]
    subprocess.run([*command, "install", "--package-lock-only"], cwd=checkout, env=plain, check=True)
    hostile = {"PATH": path, "HOME": str(home), "NODE_ENV": "production", "npm_config_omit": "dev"}

    done = subprocess.run([*command, "ci"], cwd=checkout, env=hostile, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert subprocess.check_output([checkout / "node_modules/.bin/tool"], env=plain, text=True) == "tool\n"
    assert "notice" not in done.stderr + done.stdout


def test_machines_store_of_authorities_serves_every_installer(checkout: Path, tmp_path: Path) -> None:
    store = tmp_path / "authorities.pem"
    store.write_text("a company's own")

    assert run("npm.sh", checkout, SSL_CERT_FILE=str(store))["NODE_EXTRA_CA_CERTS"] == str(store)
    assert run("pip.sh", checkout, SSL_CERT_FILE=str(store))["PIP_CERT"] == str(store)
    assert run("uv.sh", checkout, SSL_CERT_FILE=str(store))["UV_SYSTEM_CERTS"] == "1"
    assert run("npm.sh", checkout, SSL_CERT_FILE=str(store), NODE_EXTRA_CA_CERTS="own")["NODE_EXTRA_CA_CERTS"] == "own"
    assert run("pip.sh", checkout, SSL_CERT_FILE=str(store), PIP_CERT="own")["PIP_CERT"] == "own"


@pytest.mark.parametrize(
    ("script", "cache", "variable"),
    [("uv.sh", ".cache/uv", "UV_CACHE_DIR"), ("npm.sh", ".npm/_cacache", "npm_config_cache")],
)
def test_a_machine_without_a_cache_is_left_without_one(checkout: Path, script: str, cache: str, variable: str) -> None:
    home = checkout.parent / "home"

    own = checkout / run(script, checkout, HOME=str(home))[variable]
    assert own.parent.resolve() == checkout / ".venv" / ".cache"
    (home / cache).mkdir(parents=True)
    assert variable not in run(script, checkout, HOME=str(home))
    assert run(script, checkout, HOME=str(home), **{variable: "chosen"})[variable] == "chosen"


@pytest.mark.parametrize(
    ("version", "serves"),
    [
        ("aws-cli/2.13.0 Python/3.11.6", "system"),
        ("aws-cli/2.31.5 Python/3.13.7", "system"),
        ("aws-cli/2.9.19 Python/3.11.2", "wheel"),  # it would send requests for the local environment to AWS
        ("aws-cli/1.44.0 Python/3.11.6", "wheel"),  # ours is as good
        ("pyenv: aws: command not found", "wheel"),
        (None, "wheel"),
    ],
)
def test_an_aws_cli_that_reaches_the_environment_is_kept(tmp_path: Path, version: str | None, serves: str) -> None:
    (tmp_path / "sed").symlink_to(shutil.which("sed") or "")
    if version:
        make_command(tmp_path, "aws", f"echo '{version}'")

    done = subprocess.run(
        ["/bin/sh", ROOT / "requirements/aws.sh"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == f"{serves}\n"


def test_an_interrupt_of_the_set_up_prints_one_line(checkout: Path) -> None:
    """As with Ctrl-C, the signal goes to make and to all that it runs, here to a tool that prints a traceback."""
    shutil.rmtree(checkout / ".venv")
    traceback = "trap 'for line in 1 2 3 4 5; do echo Traceback >&2; done; exit 1' INT TERM"
    answers = "*print*) echo 3.11.2;; *version_info*) exit 0;; *'import venv'*) exit 0;;"
    slow = f'case "$2" in {answers} *) {traceback}; mkdir .venv; sleep 31.4159 & wait; exit 1;; esac'
    make_command(checkout.parent / "bin", "python3", slow)
    environment = {"PATH": f"{checkout.parent}/bin:/usr/bin:/bin", "HOME": "/nowhere"}
    running = subprocess.Popen(
        ["make", "setup"],  # noqa: S607
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not (checkout / ".venv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    assert (checkout / ".venv").exists()
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=20)

    assert running.returncode != 0
    assert re.fullmatch(r"make: \*\*\* .*\n", said)
    assert "Making .venv" in planned(checkout, "setup", path=environment["PATH"])


@pytest.mark.parametrize("goes_on", [False, True])
def test_an_interrupted_installation_is_made_anew(checkout: Path, goes_on: bool) -> None:
    stamps = checkout / ".venv" / ".stamps"
    stamps.mkdir()
    (stamps / "venv").write_text(str(checkout))
    (stamps / "demo.begun").write_text(str(os.getpid()) if goes_on else "999999999")
    make_command(checkout / ".venv" / "bin", "python", "exit 0")

    assert ("Making .venv" in planned(checkout, "demo")) is not goes_on


@pytest.mark.parametrize("fails", [False, True])
def test_an_installation_that_fails_is_known_to_have_begun(checkout: Path, fails: bool) -> None:
    stamps = checkout / ".venv" / ".stamps"
    stamps.mkdir()
    (stamps / "venv").write_text(str(checkout))
    make_command(checkout / ".venv" / "bin", "python", 'case "$*" in *install*) exit $FAILS;; esac')
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "FAILS": str(int(fails))}
    subprocess.run(["make", ".venv/.stamps/uv"], cwd=checkout, env=environment, capture_output=True, check=False)  # noqa: S607

    assert sorted(path.name for path in stamps.iterdir()) == (["uv.begun", "venv"] if fails else ["uv", "venv"])


def test_a_clone_with_windows_line_ends_is_as_it_should_be(tmp_path: Path) -> None:
    options = ["-c", "core.autocrlf=true", "clone", "--quiet", "--no-hardlinks"]
    subprocess.run(["git", *options, str(ROOT), str(tmp_path / "clone")], check=True)  # noqa: S607
    listed = subprocess.check_output(["git", "ls-files", "--eol"], cwd=tmp_path / "clone", text=True)  # noqa: S607

    assert [line for line in listed.splitlines() if re.search(r"w/(crlf|mixed)", line)] == []
    assert "eol=lf" in listed


@pytest.mark.parametrize(("has_cache", "expected"), [(False, "disabled"), (True, "enabled")])
def test_demo_begins_no_cache_of_the_cdks(checkout: Path, has_cache: bool, expected: str) -> None:
    home, commands = checkout.parent / "home", checkout.parent / "bin"
    stamps = checkout / ".venv" / ".stamps"
    stamps.mkdir()
    (stamps / "venv").write_text(str(checkout))
    (checkout / "node_modules").mkdir()
    for stamp in ("uv", "node-system", "demo", "project", "../../node_modules/.stamp"):
        (stamps / stamp).touch()
    for name in ("node", "npm"):
        make_command(commands, name, "echo v24.1.0")
    make_command(checkout / ".venv" / "bin", "etl", 'echo "$JSII_RUNTIME_PACKAGE_CACHE"')
    if has_cache:
        (home / ".cache" / "aws" / "jsii").mkdir(parents=True)
    environment = {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(home)}

    said = subprocess.check_output(["make", "demo"], cwd=checkout, env=environment, text=True)  # noqa: S607

    assert said == f"{expected}\n"
