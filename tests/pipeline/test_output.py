"""Every command's output about the deployed pipeline: into a pipe, in a poor encoding, on a full disk."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from etl_cli.terminal.exit_codes import EXIT_READER_GONE, EXIT_UNWRITABLE
from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline
from tests.support import ROOT

ETL = ROOT / ".venv" / "bin" / "etl"
SCRIPT = ROOT / "tests" / "etl_pipeline" / "test_etl_pipeline.py"
LATIN_1 = {"PYTHONIOENCODING": "latin-1", "COLUMNS": "80", "CI": "true"}
C_LOCALE = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "ascii",
    "COLUMNS": "40",
}
NAME = "Türk kahvesi, 咖啡, ☕"


@pytest.fixture
def commands(pipeline: Pipeline, window: Window) -> list[str]:
    """The commands that show something, once there are a run and an item that it rejected."""
    pipeline.put(pipeline.item(f"{n}", window.at(n), name={"S": NAME}) for n in range(30))
    negative = pipeline.item("negative", window.at(1), value={"N": "-1"}, name={"S": NAME})
    pipeline.put([negative])
    run = pipeline.run(window.input).run
    times = f"--start {window.start} --end {window.end}"
    return [
        f"plan {times}",
        f"run {times}",
        f"watch {run}",
        f"backfill --from {window.start} --to {window.end} --dry-run",
        f"backfill --from {window.start} --to {window.end} --redo",
        "runs",
        f"show {run}",
        f"report {run}",
        f"report {run} --no-items",
        "gaps",
        f"logs --run {run}",
        "quarantine list",
        f"quarantine show {run}",
        f"quarantine replay {run}",
        f"explain {negative['id']['S']}",
        f"preview {times}",
        f"preview --run {run}",
        "doctor",
        "local status",
        "local env",
    ]


def run(line: str, pipeline: Pipeline, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = pipeline.deployed.environment
    return subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", line],
        cwd=ROOT,
        env={
            **environment.environ(),
            "ETL": str(ETL),
            "ETL_LOCAL_DIR": str(environment.state_dir),
            **variables,
        },
        capture_output=True,
        check=False,
        timeout=120,
    )


def test_piped_output_is_plain_text_in_any_encoding(pipeline: Pipeline, commands: list[str]) -> None:
    for number, command in enumerate(commands):
        done = run(f'"$ETL" {command}', pipeline, **(LATIN_1 if number % 2 else C_LOCALE))

        assert done.stdout, command
        assert not done.stderr, command
        assert done.returncode in (0, 1, 3), command
        assert number % 2 or done.stdout.isascii(), command
        assert not re.search(rb"[\x1b\r]|[ \t]\n", done.stdout), command
        if not command.startswith("preview"):  # whose verdict begins with such a sign
            assert not re.search(rb"(?m)^  ~ ", done.stdout), f"{command} counts into a pipe"


def test_no_code_with_a_meaning_stands_for_an_output(pipeline: Pipeline, commands: list[str]) -> None:
    for number, command in enumerate(commands):
        as_json = "--json" if number % 4 > 1 and "env" not in command and "watch" not in command else ""
        if number % 2:
            done = run(f'"$ETL" {command} {as_json} > /dev/full', pipeline)
            assert done.returncode == EXIT_UNWRITABLE, command
            assert b"The output can't be written: No space left on device." in done.stderr, command
        else:
            done = run(f'(sleep 0.3; exec "$ETL" {command} {as_json}) | exec true', pipeline)
            assert done.returncode == EXIT_READER_GONE, command
        assert b"Traceback" not in done.stderr, command
        assert b"Exception ignored" not in done.stderr, command


def test_the_complete_test_says_that_its_output_failed(pipeline: Pipeline) -> None:
    script = shlex.join([sys.executable, str(SCRIPT)])
    full = run(f"{script} > /dev/full", pipeline)
    gone = run(f"(sleep 0.3; exec {script}) | exec true", pipeline)
    plain = run(f"{script} --stack none", pipeline, **C_LOCALE)

    assert (full.returncode, gone.returncode, plain.returncode) == (74, 141, 2)
    assert full.stderr.decode().splitlines() == ["error: The output can't be written: No space left on device"]
    assert not gone.stderr
    assert b"Traceback" not in plain.stderr
