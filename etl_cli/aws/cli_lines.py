"""Lines for a shell that call the AWS CLI."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_cli.terminal.printable import shell_words

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment


@dataclass(frozen=True)
class ShellLine:
    """A line for a shell, and its purpose."""

    shows: str
    line: str


def failure_lines(deployment: Deployment, execution: str, run: str, function: str) -> list[ShellLine]:
    """Lines that show more of a failed execution, of its run and of the function that failed, if there are any."""
    history = aws("stepfunctions", "get-execution-history", "--execution-arn", execution, "--reverse-order")
    commands = [ShellLine("its history, the last event first", f"{history} --max-items 10")]
    if function:
        commands.append(logs_line(function))
    if run:
        commands.append(objects_line(deployment.staging_bucket, run))
    return commands


def logs_line(function: str) -> ShellLine:
    """The line that shows a function's log."""
    line = aws("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{function}")
    return ShellLine(f"the log of {function}", f"{line} --query 'events[].message' --output text")


def window_line(state_machine: str, start: str, end: str) -> ShellLine:
    """The line that runs a window."""
    window = json.dumps({"start": start, "end": end})
    line = aws("stepfunctions", "start-execution", "--state-machine-arn", state_machine, "--input", window)
    return ShellLine(f"a run of {start} to {end}", line)


def objects_line(bucket: str, run: str) -> ShellLine:
    """The line that lists the objects of a run."""
    return ShellLine("the objects of the run", f"{aws('s3', 'ls', '--recursive', f's3://{bucket}/')} | grep {run}")


def aws(*words: str) -> str:
    """A line for the AWS CLI. Version 1 doesn't know AWS_REGION, so the line has an option for it."""
    region = os.environ.get("AWS_REGION")
    more = ["--region", region] if region and region != os.environ.get("AWS_DEFAULT_REGION") else []
    return shell_words("aws", *words, *more)
