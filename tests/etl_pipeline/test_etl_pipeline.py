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
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for the files beside it, when it is run as a script

try:
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
except ImportError:
    sys.exit("error: this script needs boto3: pip install boto3, or, in the project's checkout: make setup")

from tests.etl_pipeline.sample import Sample, expected_groups, expected_loaded, expected_record, make_sample
from tests.etl_pipeline.stack import DeployedStack, NothingToTestError, is_local
from tests.etl_pipeline.values import CheckError, canonical, compare, expect, of_boto3, of_dynamodb_json, of_plain_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from tests.support import Deployed

EPILOG = """\
It writes some 270 items of its own into the source table, with timestamps of one day long ago that no item of
yours has, runs the pipeline over that day twice, compares each stage with what has to be there, and removes its
items from both tables. What lies in the staging bucket expires by itself. Each run reads the whole source table.

exit codes: 0 all is as it should be, 1 something is not, 2 there is nothing to test, 74 the output can't be written,
130 interrupted, 141 the reader of the output has gone

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
        """Print what is going on now."""
        if self._live:
            print(f"\r\x1b[K  {message} {self._dots}", end="", flush=True)

    def _line(self, message: str) -> None:
        print(("\r\x1b[K" if self._live else "") + message, flush=True)


def check_balance(output: dict[str, Any], sample: Sample) -> None:
    """Check that the execution's output accounts for every item.

    Items of the table's own whose timestamp is no time, or lies in the future, come along with every window: they are
    counted apart.
    """
    counts = Counter(output["counts"])
    expect("the output's status", "success", output["status"])
    expect("the output's window", {"start": sample.start, "end": sample.end}, output["window"])
    expect("items transformed", len(sample.loaded), counts["transformed"])
    expect("items dropped", 0, counts["dropped"])
    expect("items rejected", len(sample.rejected), counts["rejected_transform"])
    expect("whether its own items without a time are counted", True, counts["untimed"] >= len(sample.untimed))
    expect("records loaded", len(sample.loaded), counts["loaded"])
    expect("records superseded or rejected by Load", 0, counts["superseded"] + counts["rejected_load"])
    expect("read = extracted", counts["read"], counts["extracted"])
    inputs = sum(counts[name] for name in ("transformed", "dropped", "ahead", "untimed", "rejected_transform"))
    expect("extracted = transformed + dropped + ahead + untimed + rejected", counts["extracted"], inputs)
    outputs = counts["loaded"] + counts["superseded"] + counts["rejected_load"]
    expect("records = loaded + superseded + rejected", counts["records"], outputs)


def check_extract(stack: DeployedStack, output: dict[str, Any], sample: Sample) -> None:
    """Check that Extract staged every item of the window, as it is in the table."""
    prefix = f"extract/{output['run']}/"
    staged = stack.staged(prefix, without=["run.json"])
    expect(f"items in s3://{stack.bucket}/{prefix}", output["counts"]["extracted"], len(staged))
    own = {item["id"]["S"] for item in sample.items}
    got = canonical((item for item in staged if item["id"]["S"] in own), of_dynamodb_json)
    items = sample.loaded + [item for item, _ in sample.quarantined]
    compare(f"s3://{stack.bucket}/{prefix}", canonical(items, of_boto3), got)
    expect("the key in the output", True, output["keys"]["extract"].startswith(prefix))


def check_transform(stack: DeployedStack, output: dict[str, Any], sample: Sample) -> None:
    """Check that Transform staged every valid item, with what it computes."""
    prefix = f"transform/{output['run']}/"
    got = canonical(stack.staged(prefix, without=["aggregates.json", "partials/"]), of_plain_json)
    records = [expected_record(item, sample.end) for item in sample.loaded]
    compare(f"s3://{stack.bucket}/{prefix}", canonical(records, of_boto3), got, "record")


def check_quarantine(stack: DeployedStack, output: dict[str, Any], sample: Sample) -> None:
    """Check that each invalid item, and no valid one, was set aside as it was, by Transform and for its reason."""
    prefix = f"quarantine/{output['run']}/"
    lines = stack.staged(prefix)
    counts = Counter(output["counts"])
    expect(f"records in s3://{stack.bucket}/{prefix}", counts["rejected_transform"] + counts["untimed"], len(lines))
    own = {item["id"]["S"] for item in sample.items}
    others = [line for line in lines if line["item"]["id"]["S"] not in own]
    untimed = counts["untimed"] - len(sample.untimed)
    expect("items of the table's own without a time", untimed, sum(line["field"] == "timestamp" for line in others))
    expect("items of the table's own in quarantine", untimed, len(others))
    lines = [line for line in lines if line["item"]["id"]["S"] in own]
    items = [item for item, _ in sample.quarantined]
    got = canonical((line["item"] for line in lines), of_dynamodb_json)
    compare(f"s3://{stack.bucket}/{prefix}", canonical(items, of_boto3), got)
    reasons = {line["item"]["id"]["S"]: (line["stage"], line["field"]) for line in lines}
    for item, field in sample.quarantined:
        name = item["id"]["S"]
        expect(f"stage and attribute for which {name} was rejected", ("transform", field), reasons[name])


def check_aggregates(stack: DeployedStack, output: dict[str, Any], sample: Sample) -> None:
    """Check the aggregates of the run."""
    key = output["keys"]["aggregates"]
    aggregates = {each["name"]: each["groups"] for each in stack.document(key)["aggregates"]}
    expect(f"the groups of value_by_date in {key}", expected_groups(sample.loaded), aggregates.get("value_by_date"))


def check_destination(stack: DeployedStack, sample: Sample) -> None:
    """Check that the destination table has each valid item exactly, and no other."""
    expected = [expected_loaded(expected_record(item, sample.end)) for item in sample.loaded]
    compare(f"table {stack.destination}", canonical(expected, of_boto3), stack.loaded(sample.items))


def run_and_check(stack: DeployedStack, sample: Sample, timeout_seconds: float, report: Report) -> None:
    """Run the pipeline by both ways of the specification, and check what each stage left."""
    window = {"start": sample.start, "end": sample.end}
    with report.step(f"Put {len(sample.items)} items into {stack.source}"):
        stack.put(sample.items)
    with report.step("Option A: start an execution, and follow it to its end"):
        output = stack.follow(stack.start(window), time.monotonic() + timeout_seconds, report.progress)
    with report.step("The execution's output accounts for every item"):
        check_balance(output, sample)
    with report.step(f"extract/{output['run']}/ holds each item exactly"):
        check_extract(stack, output, sample)
    with report.step(f"transform/{output['run']}/ holds each record, with its computed fields"):
        check_transform(stack, output, sample)
    with report.step(
        f"quarantine/{output['run']}/ holds the {len(sample.quarantined)} invalid items, with their reasons"
    ):
        check_quarantine(stack, output, sample)
    with report.step("aggregates.json is right to the last digit"):
        check_aggregates(stack, output, sample)
    with report.step(f"{stack.destination} holds each of the {len(sample.loaded)} records exactly, and no other"):
        check_destination(stack, sample)

    detail = {"action": "start", **window}
    deadline = time.monotonic() + timeout_seconds
    with report.step("Option B: send an event, and follow the execution that it starts"):
        stack.send(detail)
        again = stack.follow(stack.started_by(detail, deadline), deadline, report.progress)
    with report.step("The second run over the same window changes nothing"):
        check_balance(again, sample)
        expect("staging keys that both runs use", set(), set(output["keys"].values()) & set(again["keys"].values()))
        check_destination(stack, sample)


def run(stack_name: str, timeout_seconds: float, *, keep: bool) -> None:
    """Find the stack, run and check, and clean up, whatever happened.

    Raises:
        CheckError: something is not as it should be.
        NothingToTestError: there is no such stack.
    """
    report, started = Report(), time.monotonic()
    with report.step(f"Find the stack {stack_name} and its outputs"):
        stack = DeployedStack(stack_name)
    sample = make_sample(secrets.token_hex(4))
    try:
        run_and_check(stack, sample, timeout_seconds, report)
    except BaseException:
        with contextlib.suppress(BotoCoreError, ClientError):  # the first error is the one to tell
            clean_up(stack, sample, report, keep=keep)
        raise
    clean_up(stack, sample, report, keep=keep)
    print(f"All {report.steps} steps passed in {time.monotonic() - started:.1f} s.")


def clean_up(stack: DeployedStack, sample: Sample, report: Report, *, keep: bool) -> None:
    """Delete the items from both tables, unless they are to be kept."""
    if keep:
        first = sample.items[0]["id"]["S"]
        print(f"  kept: {len(sample.items)} items from {first} on, window {sample.start} to {sample.end}")
        return
    with report.step("Clean up: delete the items from both tables"):
        stack.delete(sample)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; returns its exit code."""
    parser = argparse.ArgumentParser(
        description="Runs the ETL pipeline on a deployed stack, and checks what each stage did to every item.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="EtlPipelineStack", help="name of the stack (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=900, metavar="SECONDS", help="for each of the two runs (default: %(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the items in both tables, to look at them")
    options = parser.parse_args(arguments)
    try:
        run(options.stack, options.timeout, keep=options.keep)
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
    for name, value in deployed.environment.variables().items():
        monkeypatch.setenv(name, value)
    code = main([])
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
        # What Python still has to write at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:
            return 141
        with contextlib.suppress(OSError):
            print(f"error: The output can't be written: {error.strerror}", file=sys.stderr, flush=True)
        return 74
    return code


if __name__ == "__main__":
    sys.exit(run_as_a_script())
