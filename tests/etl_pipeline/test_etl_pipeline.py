"""The complete test: it runs the pipeline on the stack that the AWS environment points at, and checks every item.

It needs boto3 alone, and nothing of this project but the files beside it, so that it can test any deployed stack.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for the files beside it, when it is run as a script

try:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
except ImportError:
    sys.exit("error: this script needs boto3: pip install boto3, or, in the project's checkout: make setup")

from tests.etl_pipeline.checks import Checks, ExactChecks, is_samples_transformation
from tests.etl_pipeline.sample import Sample, make_sample
from tests.etl_pipeline.stack import DeployedStack, NothingToTestError, UnfitError, is_local
from tests.etl_pipeline.values import CheckError, expect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from tests.support import Deployed

ROOT = Path(__file__).resolve().parents[2]
UNFIT = """\
The sample's items don't fit your transformation, so nothing was loaded or compared:
{cause}
Look at your own table's items with .venv/bin/etl preview. To run this test on your contract, give the items that
make_sample() in tests/etl_pipeline/sample.py makes your attributes."""
EPILOG = """\
It writes some 270 items of its own into the source table, with timestamps of one day long ago that no item of
yours has, runs the pipeline over that day twice, checks every stage item by item, and removes its items from both
tables. The objects in the staging bucket expire by themselves. Each run reads the whole source table.

With the specification's transformation, every computed field is checked. With another one, the stages are checked
against each other; if its contract refuses the items, the script says so and exits with 0.

exit codes: 0 passed, or the items don't fit your transformation; 1 a check failed; 2 there is nothing to test;
74 the output can't be written; 130 interrupted; 141 the reader of the output has gone

example, on the local environment of this project:
  eval "$(.venv/bin/etl local env)"
  python tests/etl_pipeline/test_etl_pipeline.py

example, on AWS:
  AWS_PROFILE=staging python tests/etl_pipeline/test_etl_pipeline.py --timeout 600
"""


class Report:
    """Prints the steps as they pass or fail, and live progress where there is a terminal."""

    def __init__(self) -> None:
        encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
        self._passed, self._failed, self._dots = ("✓", "✗", "…") if encoding == "utf8" else ("ok", "FAIL", "...")
        self._live = sys.stdout is not None and sys.stdout.isatty()
        self.steps = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print the step's title with its outcome when it ends."""
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self._line(f"{self._failed} {title}")
            raise
        self.steps += 1
        self._line(f"{self._passed} {title} ({time.monotonic() - started:.1f} s)")

    def progress(self, message: str) -> None:
        """Print the current step."""
        if self._live:
            print(f"\r\x1b[K  {message} {self._dots}", end="", flush=True)

    def _line(self, message: str) -> None:
        print(("\r\x1b[K" if self._live else "") + message, flush=True)


def run_and_check(stack: DeployedStack, sample: Sample, checks: Checks, timeout_seconds: float, report: Report) -> None:
    """Run the pipeline by both ways of the specification, and check the traces of each stage."""
    window = {"start": sample.start, "end": sample.end}
    with report.step("Option A: start an execution, and follow it to its end"):
        output = stack.follow(stack.start(window), time.monotonic() + timeout_seconds, report.progress)
    with report.step("The execution's output accounts for every item"):
        checks.check_balance(output)
    with report.step(f"extract/{output['run']}/ holds each item exactly"):
        checks.check_extract(output)
    with report.step(f"transform/{output['run']}/ {checks.transformed}"):
        checks.check_transform(output)
    with report.step(f"quarantine/{output['run']}/ {checks.quarantined}"):
        checks.check_quarantine(output)
    with report.step(f"aggregates.json {checks.aggregated}"):
        checks.check_aggregates(output)
    with report.step(f"{stack.destination} {checks.destination}"):
        checks.check_destination(output)

    detail = {"action": "start", **window}
    deadline = time.monotonic() + timeout_seconds
    with report.step("Option B: send an event, and follow the execution that it starts"):
        stack.send(detail)
        again = stack.follow(stack.started_by(detail, deadline), deadline, report.progress)
    with report.step("The second run over the same window changes nothing"):
        checks.check_balance(again)
        expect("staging keys that both runs use", set(), set(output["keys"].values()) & set(again["keys"].values()))
        checks.check_destination(again)


def run(stack_name: str, folder: Path, timeout_seconds: float, *, keep: bool) -> None:
    """Find the stack, run and check, and clean up, whatever happened.

    Raises:
        CheckError: something is not as it should be.
        NothingToTestError: there is no such stack.
    """
    report, started = Report(), time.monotonic()
    with report.step(f"Find the stack {stack_name} and its outputs"):
        stack = DeployedStack(stack_name)
    sample = make_sample(secrets.token_hex(4))
    exact = is_samples_transformation(folder)
    checks = (ExactChecks if exact else Checks)(stack, sample)
    if not exact:
        print(f"  {folder} has a transformation of its own: the stages are checked against each other.")
    try:
        with report.step(f"Put {len(sample.items)} items into {stack.source}"):
            stack.put(sample.items)
        run_and_check(stack, sample, checks, timeout_seconds, report)
    except BaseException as error:
        with contextlib.suppress(BotoCoreError, ClientError):  # the first error is the one to tell
            clean_up(stack, sample, checks, report, keep=keep)
        if exact or not isinstance(error, UnfitError):
            raise
        print(UNFIT.format(cause=error))
        return
    clean_up(stack, sample, checks, report, keep=keep)
    print(f"All {report.steps} steps passed in {time.monotonic() - started:.1f} s.")


def clean_up(stack: DeployedStack, sample: Sample, checks: Checks, report: Report, *, keep: bool) -> None:
    """Delete the items from both tables, unless they are to be kept."""
    if keep:
        first = sample.items[0]["id"]["S"]
        print(f"  kept: {len(sample.items)} items from {first} on, window {sample.start} to {sample.end}")
        return
    with report.step("Clean up: delete the items from both tables"):
        stack.delete(sample.items, checks.keys)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = argparse.ArgumentParser(
        description="Runs the ETL pipeline on a deployed stack, and checks every item in each stage.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="EtlPipelineStack", help="name of the stack (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=900, metavar="SECONDS", help="for each of the two runs (default: %(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the items in both tables, to look at them")
    parser.add_argument(
        "--pipeline",
        type=Path,
        default=ROOT / "pipelines" / "etl",
        metavar="FOLDER",
        help="folder of the transformation that is deployed (default: pipelines/etl of this checkout)",
    )
    options = parser.parse_args(arguments)
    try:
        run(options.stack, options.pipeline, options.timeout, keep=options.keep)
    except CheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except NothingToTestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (NoCredentialsError, NoRegionError) as error:
        print(
            f"error: {error}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION; "
            'for the local environment: eval "$(.venv/bin/etl local env)"',
            file=sys.stderr,
        )
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"error: AWS does not answer as it should: {error}", file=sys.stderr)
        if is_local(os.environ.get("AWS_ENDPOINT_URL", "")):
            print('Has the local environment ended? make demo, then eval "$(.venv/bin/etl local env)"', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def test_every_stage_of_the_deployed_stack_is_right_item_by_item(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.support import PIPELINE

    for name, value in deployed.environment.variables().items():
        monkeypatch.setenv(name, value)
    code = main(["--pipeline", str(ROOT / PIPELINE)])
    captured = capsys.readouterr()
    assert code == 0, captured.out + captured.err


def run_as_a_script() -> int:
    """Run the script in a process of its own; its output may be anything, or may go away."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # nothing if the caller has closed it
            stream.reconfigure(errors="backslashreplace")
    try:
        code = main()
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        # Python's last output goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            return 141
        with contextlib.suppress(OSError):
            print(f"error: The output can't be written: {error.strerror}", file=sys.stderr, flush=True)
        return 74
    return code


if __name__ == "__main__":
    sys.exit(run_as_a_script())
