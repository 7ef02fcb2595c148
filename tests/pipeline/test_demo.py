"""`etl demo`, the whole of it: a first run, a second one, and one that is interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.docs.examples import example
from tests.docs.typist import Command, Shell, Typist
from tests.pipeline.pipeline import wait_for
from tests.support import PIPELINES, ROOT

ETL = ROOT / ".venv" / "bin" / "etl"


def demo(environment: LocalEnvironment, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [ETL, "demo", "--context", f"etl:pipelines={PIPELINES}", *options],
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


def test_the_first_run_is_as_documented_and_stays_up(
    environment: LocalEnvironment,
) -> None:
    process = demo(environment, "--items", "40")
    out, err = process.communicate(timeout=240)

    assert process.returncode == 0, out + err
    assert err == ""
    beginning, end = example("etl demo").split("  …\n")
    assert steady(out).startswith(steady(beginning))
    assert steady(out).endswith(steady(end))
    assert environment.status().is_up


@pytest.mark.parametrize("command", ["status", "env"])
def test_what_the_environment_says_is_as_documented(environment: LocalEnvironment, command: str) -> None:
    done = etl_local(environment, command)

    assert list(map(label, done.splitlines())) == list(map(label, example(f"etl local {command}").splitlines()))


def etl_local(environment: LocalEnvironment, command: str) -> str:
    given = {name: os.environ[name] for name in ("PATH", "HOME")}
    return subprocess.run(
        [ETL, "local", command],
        cwd=ROOT,
        env=given | {"ETL_LOCAL_DIR": str(environment.state_dir)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def label(line: str) -> str:
    """A line without the value that differs from one environment to another."""
    name, _, value = line.strip().partition("=" if line.startswith("export") else "  ")
    return f"{name} {value}" if name == "stacks" else name


def steady(text: str) -> str:
    """An output without the parts that differ from run to run, or that a terminal replaces."""
    lines = [line.rstrip() for line in text.splitlines() if not re.match("  … .", line)]
    patterns = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"(?<=:)\d{2,5}(?=, )", r"[\d,.]+(?= ?(?:s\b|kB|/s))")
    for pattern in patterns:
        lines = [re.sub(pattern, "#", line) for line in lines]
    return "".join(f"{line}\n" for line in lines)


def test_the_second_run_changes_nothing_and_its_commands_work(environment: LocalEnvironment) -> None:
    process = demo(environment, "--items", "300", "--json")
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, out + err
    assert "EtlPipelineStack, no changes" in err
    report = json.loads(out)
    assert all(equation["holds"] for equation in report["balance"])
    assert report["verified"]["destination"] == report["counts"]["loaded"] == 279
    with Shell(os.environ | {"ETL_LOCAL_DIR": str(environment.state_dir)}) as shell:
        typed = [Typist(shell).type(Command("the demo", 1, line)) for line in report["commands"]]
    assert [each.command.text for each in typed if each.fault] == []
    assert len(typed) == 4


@pytest.fixture(scope="module")
def typed(environment: LocalEnvironment) -> Callable[..., str]:
    """Types a line into a shell of the demonstration's environment, in whose source many items have no time."""
    stamps: list[dict[str, Any]] = [{}, {"timestamp": {"S": "2026-11-29T10:00:00+0000"}}, {"timestamp": {"N": "5"}}]
    for number in range(60):
        item = {"id": {"S": f"untimed-{number}"}, "value": {"N": "1"}} | stamps[number % len(stamps)]
        environment.clients().dynamodb.put_item(TableName="etl-source-data", Item=item)
    path = f"{ETL.parent}{os.pathsep}{os.environ['PATH']}"

    def type_in(line: str, code: int = 0) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=ROOT,
            env=environment.environ() | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return type_in


def test_a_small_window_succeeds_with_many_untimed_items(typed: Callable[..., str]) -> None:
    report = json.loads(typed("etl run --start 2024-01-15 --end 2024-01-16 --json"))

    assert (report["counts"]["read"], report["counts"]["untimed"], report["counts"]["loaded"]) == (61, 61, 0)


def test_a_backfill_succeeds_with_many_untimed_items(typed: Callable[..., str]) -> None:
    typed("etl backfill --from 2024-02-01 --to 2024-02-03")


def test_a_run_over_a_window_without_items_closes_its_gap(
    environment: LocalEnvironment, typed: Callable[..., str]
) -> None:
    dynamodb, table, key = environment.clients().dynamodb, "etl-source-data", {"id": {"S": "refund"}}
    bad = {"value": {"N": "-1"}, "timestamp": {"S": "2023-05-05T10:00:00Z"}}
    dynamodb.put_item(TableName=table, Item=key | bad)
    typed("etl run --start 2023-05-05 --end 2023-05-06", code=1)
    [given_up] = json.loads(typed("etl gaps --json", code=1))["gaps"]

    dynamodb.delete_item(TableName=table, Key=key)
    typed(given_up["etl_command"])

    assert json.loads(typed("etl gaps --json"))["gaps"] == []


def test_the_script_passes_with_many_untimed_items(typed: Callable[..., str]) -> None:
    assert "steps passed" in typed("python tests/etl_pipeline/test_etl_pipeline.py")


def test_items_without_a_time_are_shown_until_they_are_corrected(
    environment: LocalEnvironment, typed: Callable[..., str]
) -> None:
    run = json.loads(typed("etl run --json"))["run"]
    assert f"61 items without a time in quarantine of {run}" in " ".join(typed("etl doctor").split())

    corrected = {"id": {"S": "untimed-1"}, "value": {"N": "1"}, "timestamp": {"S": "2024-01-15T10:00:00Z"}}
    environment.clients().dynamodb.put_item(TableName="etl-source-data", Item=corrected)
    typed(f"etl quarantine replay {run} --json", code=3)  # the other invalid items aren't corrected
    assert f"60 items without a time in quarantine of {run}" in " ".join(typed("etl doctor").split())


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
    assert "✔ 279 loaded, 2 rejected, 1 without a time, nothing unaccounted for" in out


def processes_of(folder: Path) -> Iterator[str]:
    """The command lines of the processes that have a folder's environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "environ").read_bytes():
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
