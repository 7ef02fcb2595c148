"""Lines for a shell that call the AWS CLI."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    lines = [ShellLine("its history, the last event first", f"{history} --max-items 10")]
    if function:
        log = aws("logs", "filter-log-events", "--log-group-name", deployment.names.log_group(function))
        lines.append(
            ShellLine(
                f"the log of {deployment.names.function(function)}", f"{log} --query 'events[].message' --output text"
            )
        )
    if run:
        objects = aws("s3", "ls", "--recursive", f"s3://{deployment.staging_bucket}/")
        lines.append(ShellLine("the objects of the run", f"{objects} | grep {run}"))
    return lines


def aws(*words: str, options: Sequence[str] = ()) -> str:
    """A line for the AWS CLI. Version 1 doesn't know AWS_REGION, so the line has an option for it.

    The further options are quoted already, such as those of `EtlLines`.
    """
    region = os.environ.get("AWS_REGION")
    more = ["--region", region] if region and region != os.environ.get("AWS_DEFAULT_REGION") else []
    return " ".join([shell_words("aws", *words, *more), *options])
