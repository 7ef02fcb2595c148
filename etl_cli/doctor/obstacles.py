"""Obstacles to a deployment: resources of the stack's names that no stack has, and the ways out.

CloudFormation checks for them before it makes anything, and its own message names none (CloudFormation user guide,
"Validate stack deployments"; github.com/aws/aws-cdk-cli/issues/1000).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from etl.model.names import STACK
from etl_cli.aws.cli_lines import aws
from etl_cli.doctor.findings import Finding, is_missing
from etl_cli.terminal.printable import shell_words

# Nothing has been made in these, or all of it is gone again. A stack that is deleted can't be described.
UNMADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
_KEEP = ("-c", "etl:removal_policy=retain")


@dataclass(frozen=True)
class Obstacle:
    """A resource that a deployment would make.

    Attributes:
        kind: as people say.
        name: its name; ``{account}`` and ``{region}`` are filled in.
        logical_id: in the stack's template.
        identifier: property by which CloudFormation imports it (CloudFormation user guide, "Resource type support").
    """

    kind: str
    name: str
    logical_id: str
    identifier: str


TABLES = (
    Obstacle("table", "etl-source-data", "SourceTable70380C26", "TableName"),
    Obstacle("table", "etl-destination-data", "DestinationTableE41E7513", "TableName"),
    Obstacle("table", "etl-run-ledger", "RunLedgerTable3162D107", "TableName"),
)
BUCKET = Obstacle("bucket", "etl-staging-{account}-{region}", "StagingBucket9644C37C", "BucketName")
_STATES = "/aws/vendedlogs/states/etl-pipeline"
LOG_GROUPS = (
    Obstacle("log group", "/aws/lambda/etl-extract", "ExtractLogs56BFE9EB", "LogGroupName"),
    Obstacle("log group", "/aws/lambda/etl-transform", "TransformLogs6C6200D4", "LogGroupName"),
    Obstacle("log group", "/aws/lambda/etl-load", "LoadLogsFED4C05A", "LogGroupName"),
    Obstacle("log group", _STATES, "WorkflowLogs8B0907C7", "LogGroupName"),
    Obstacle("log group", f"{_STATES}-recorder", "RunRecorderLogs0853A091", "LogGroupName"),
    Obstacle("log group", f"{_STATES}-watch", "WatermarkWatchLogs039FDCB3", "LogGroupName"),
)


def obstacle_findings(
    client: Callable[[str], Any], bucket: str, status: str, options: Sequence[str]
) -> Iterator[Finding]:
    """Tell what is in the way, and both ways out.

    Args:
        client: makes a client of a service.
        bucket: name of the staging bucket.
        status: the stack's; empty if there is none.
        options: of the AWS CLI, which say where to look.
    """
    found = [*_tables(client("dynamodb")), *_bucket(client("s3"), bucket), *_log_groups(client("logs"))]
    if not found:
        return
    names = ", ".join(f"{each.kind} {each.name}" for each in found)
    text = f"{names}: there already, and no part of the stack, so a deployment fails without naming them"
    keep = [*_emptied(status, options), *_imported(found)]
    yield Finding("in the way", "problem", text, "Take them into the stack, with what they hold:", " && ".join(keep))
    other = "The other way out is to delete them, with all that they hold"
    remedy = "That can't be undone. Deploy the stack afterwards:"
    yield Finding("in the way", "problem", other, remedy, " && ".join(_deleted(found, options)))


def refusal_findings(cloudformation: Any) -> Iterator[Finding]:
    """Tell why CloudFormation did not begin to make the stack, which only DescribeEvents says."""
    events = cloudformation.describe_events(StackName=STACK, Filters={"FailedEvents": True})["OperationEvents"]
    failed = (event for event in events if event.get("ValidationStatus") == "FAILED")
    for text in dict.fromkeys(
        f"{each.get('LogicalResourceId')}: {each.get('ValidationStatusReason')}" for each in failed
    ):
        yield Finding("refused", "problem", text, "Resolve that, and deploy again.")


def _tables(dynamodb: Any) -> Iterator[Obstacle]:
    for each in TABLES:
        if _is_there(partial(dynamodb.describe_table, TableName=each.name)):
            yield each


def _bucket(s3: Any, name: str) -> Iterator[Obstacle]:
    if _is_there(partial(s3.head_bucket, Bucket=name)):
        yield Obstacle(BUCKET.kind, name, BUCKET.logical_id, BUCKET.identifier)


def _log_groups(logs: Any) -> Iterator[Obstacle]:
    listed = logs.get_paginator("describe_log_groups").paginate
    prefixes = ("/aws/lambda/etl-", _STATES)
    pages = (page for prefix in prefixes for page in listed(logGroupNamePrefix=prefix))
    there = {group["logGroupName"] for page in pages for group in page["logGroups"]}
    yield from (each for each in LOG_GROUPS if each.name in there)


def _is_there(look: Callable[[], object]) -> bool:
    try:
        look()
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def _emptied(status: str, options: Sequence[str]) -> list[str]:
    """Remove what a failed deployment left: it has a template, and nothing can be imported over it."""
    if not status:
        return []
    words = ("--stack-name", STACK)
    lines = (
        aws("cloudformation", "delete-stack", *words),
        aws("cloudformation", "wait", "stack-delete-complete", *words),
    )
    return [" ".join([line, *options]) for line in lines]


def _imported(found: Sequence[Obstacle]) -> list[str]:
    """Import them into a new stack, which has nothing else, and let a deployment add all the rest."""
    mapping = json.dumps({each.logical_id: {each.identifier: each.name} for each in found}, separators=(",", ":"))
    return [
        shell_words("cdk", "import", STACK, *_KEEP, "--resource-mapping-inline", mapping),
        shell_words("cdk", "deploy", STACK, *_KEEP),
    ]


def _deleted(found: Sequence[Obstacle], options: Sequence[str]) -> list[str]:
    lines = {
        "table": lambda name: aws("dynamodb", "delete-table", "--table-name", name),
        "bucket": lambda name: aws("s3", "rb", "--force", f"s3://{name}"),
        "log group": lambda name: aws("logs", "delete-log-group", "--log-group-name", name),
    }
    return [" ".join([lines[each.kind](each.name), *options]) for each in found]
