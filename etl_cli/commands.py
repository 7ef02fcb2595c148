"""Lines for a shell, with which to look further by means of the AWS CLI."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_cli.deployment import Pipeline
    from etl_cli.report.report import RunReport


@dataclass(frozen=True)
class Command:
    """A line for a shell, and what it shows."""

    shows: str
    line: str


def report_commands(pipeline: Pipeline, report: RunReport) -> list[Command]:
    """Lines that show more of a run that succeeded."""
    table, bucket = pipeline.destination_table, pipeline.staging_bucket
    commands = [
        _execution(report.execution),
        _objects(bucket, report.run),
    ]
    if report.quarantine:
        commands.append(_copy("what was rejected, with the reasons", bucket, report.quarantine[-1]))
    if report.sample:
        key = json.dumps({name: {"S": value} for name, value in report.sample.key.items()}, ensure_ascii=False)
        commands.append(
            Command("the item above", _aws("dynamodb", "get-item", "--table-name", table, "--key", key)),
        )
    return [
        *commands,
        Command("some records", _aws("dynamodb", "scan", "--table-name", table, "--limit", "3")),
        logs_command("etl-load"),
    ]


def failure_commands(pipeline: Pipeline, execution: str, run: str, function: str) -> list[Command]:
    """Lines that show more of an execution that failed.

    Args:
        pipeline: where it ran.
        execution: its ARN.
        run: the run's timestamp; empty if there is none.
        function: the function that failed; empty if none did.
    """
    history = _aws("stepfunctions", "get-execution-history", "--execution-arn", execution, "--reverse-order")
    commands = [Command("its history, the last event first", f"{history} --max-items 10")]
    if function:
        commands.append(logs_command(function))
    if run:
        commands.append(_objects(pipeline.staging_bucket, run))
    return commands


def logs_command(function: str) -> Command:
    """The line that shows a function's log."""
    line = _aws("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{function}")
    return Command(f"the log of {function}", f"{line} --query 'events[].message' --output text")


def window_command(state_machine: str, start: str, end: str) -> Command:
    """The line that runs a window."""
    window = json.dumps({"start": start, "end": end})
    line = _aws("stepfunctions", "start-execution", "--state-machine-arn", state_machine, "--input", window)
    return Command(f"a run of {start} to {end}", line)


def _execution(execution: str) -> Command:
    return Command("the execution", _aws("stepfunctions", "describe-execution", "--execution-arn", execution))


def _objects(bucket: str, run: str) -> Command:
    return Command("what the stages wrote", f"{_aws('s3', 'ls', '--recursive', f's3://{bucket}/')} | grep {run}")


def _copy(shows: str, bucket: str, key: str) -> Command:
    return Command(shows, _aws("s3", "cp", f"s3://{bucket}/{key}", "-"))


def _aws(*words: str) -> str:
    return shlex.join(["aws", *words])
