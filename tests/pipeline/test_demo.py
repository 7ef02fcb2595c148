"""`etl demo`, the whole of it: a first run, a second one, and one that is interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl_cli.emulator.environment import LocalEnvironment
from tests.pipeline.pipeline import wait_for
from tests.support import ROOT

ETL = ROOT / ".venv" / "bin" / "etl"


def demo(environment: LocalEnvironment, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [ETL, "demo", *options],
        cwd=ROOT,
        env=os.environ | {"ETL_LOCAL_DIR": str(environment.state_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def environment(make_environment: Callable[[], LocalEnvironment]) -> LocalEnvironment:
    """An environment that is down; the demonstration starts it."""
    return make_environment()


def test_an_interrupt_during_the_deployment_leaves_no_process(environment: LocalEnvironment) -> None:
    process = demo(environment, "--items", "300")
    wait_for("the synthesis", lambda: any("app.py" in line for line in processes_of(environment.state_dir)))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err == "interrupted: the local environment is stopped again\n"
    assert "✘ Deployment    interrupted" in out
    wait_for("the end of all processes", lambda: not list(processes_of(environment.state_dir)), seconds=5)
    assert environment.status().state == "down"


def test_the_first_run_reports_and_leaves_the_environment_up(environment: LocalEnvironment) -> None:
    process = demo(environment, "--items", "300")
    out, err = process.communicate(timeout=240)

    assert process.returncode == 0, out + err
    assert err == ""
    assert "✔ 279 loaded, 3 rejected with their reasons, nothing unaccounted for" in out
    assert "read      282 = 282 extracted" in out
    assert "counted   279 of this run in etl-destination-data ✔" in out
    assert environment.status().is_up


def test_the_second_run_changes_nothing_and_its_commands_work(environment: LocalEnvironment) -> None:
    process = demo(environment, "--items", "300", "--json")
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, out + err
    assert "EtlPipelineStack, no changes" in err
    report = json.loads(out)
    assert all(equation["holds"] for equation in report["balance"])
    assert report["verified"]["destination"] == report["counts"]["loaded"] == 279
    for line in report["commands"]:
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=environment.environ(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout.strip(), line


def test_a_strict_run_with_distributed_maps_shows_its_segments(
    make_environment: Callable[[], LocalEnvironment],
) -> None:
    environment, maps = make_environment(), ("-c", "etl:concurrency=100", "-c", "etl:segment_bytes=70000")
    process = demo(environment, "--strict", "--items", "300", *maps)
    out, err = process.communicate(timeout=240)

    assert process.returncode == 0, out + err
    assert "✔ Local AWS     https://127.0.0.1:" in out
    assert environment.status().strict
    assert re.search(r"✔ Plan .* 3 segments", out)
    assert "✔ 279 loaded, 3 rejected with their reasons, nothing unaccounted for" in out


def processes_of(folder: Path) -> Iterator[str]:
    """The command lines of the processes that have a folder's environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "environ").read_bytes():
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
