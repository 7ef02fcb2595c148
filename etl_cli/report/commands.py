"""Lines for a shell, with which to look further at a run that succeeded."""

from __future__ import annotations

import json

from etl_cli.commands import Command, aws, logs_command, objects_command
from etl_cli.deployment import Pipeline
from etl_cli.report.report import RunReport


def report_commands(pipeline: Pipeline, report: RunReport) -> list[Command]:
    """Lines that show more of a run that succeeded."""
    table, bucket = pipeline.destination_table, pipeline.staging_bucket
    commands = [
        Command("the execution", aws("stepfunctions", "describe-execution", "--execution-arn", report.execution)),
        objects_command(bucket, report.run),
    ]
    if report.quarantine:
        rejected = aws("s3", "cp", f"s3://{bucket}/{report.quarantine[-1]}", "-")
        commands.append(Command("items in quarantine, with the reasons", rejected))
    if report.sample:
        key = json.dumps({name: {"S": value} for name, value in report.sample.key.items()})
        commands.append(
            Command(
                "the item above, as the destination has it now",
                aws("dynamodb", "get-item", "--table-name", table, "--key", key),
            ),
        )
    return [
        *commands,
        Command("some records", aws("dynamodb", "scan", "--table-name", table, "--limit", "3")),
        logs_command("etl-load"),
    ]
