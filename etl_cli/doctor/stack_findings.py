"""The stack, and obstacles to its deployment: resources with its names that belong to no stack, and two ways out.

CloudFormation checks for them before it makes anything, and its own message names none (CloudFormation user guide,
"Validate stack deployments"; github.com/aws/aws-cdk-cli/issues/1000).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from etl.model.names import DESTINATION_TABLE, LEDGER_TABLE, SOURCE_TABLE, STACK, STAGING_BUCKET, STATE_MACHINE
from etl_cli.aws.cli_lines import aws
from etl_cli.doctor.findings import Finding, is_missing
from etl_cli.terminal.printable import shell_words

# A stack with these statuses has no resources, or none any more. A deleted stack can't be described.
UNMADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
_KEEP = ("-c", "etl:removal_policy=retain")


@dataclass(frozen=True)
class Obstacle:
    """A resource that a deployment would make.

    Attributes:
        kind: its kind, in words.
        name: its name, with ``{account}`` and ``{region}`` to fill in.
        logical_id: its id in the stack's template.
        identifier: the property by which CloudFormation imports it (CloudFormation user guide, "Resource type
            support").
    """

    kind: str
    name: str
    logical_id: str
    identifier: str


TABLES = tuple(
    Obstacle("table", name, logical_id, "TableName")
    for name, logical_id in (
        (SOURCE_TABLE, "SourceTable70380C26"),
        (DESTINATION_TABLE, "DestinationTableE41E7513"),
        (LEDGER_TABLE, "RunLedgerTable3162D107"),
    )
)
BUCKET = Obstacle("bucket", STAGING_BUCKET, "StagingBucket9644C37C", "BucketName")
_LAMBDA, _STATES = "/aws/lambda/etl-", f"/aws/vendedlogs/states/{STATE_MACHINE}"
LOG_GROUPS = tuple(
    Obstacle("log group", name, logical_id, "LogGroupName")
    for name, logical_id in (
        (f"{_LAMBDA}extract", "ExtractLogs56BFE9EB"),
        (f"{_LAMBDA}transform", "TransformLogs6C6200D4"),
        (f"{_LAMBDA}load", "LoadLogsFED4C05A"),
        (_STATES, "WorkflowLogs8B0907C7"),
        (f"{_STATES}-recorder", "RunRecorderLogs0853A091"),
        (f"{_STATES}-watch", "WatermarkWatchLogs039FDCB3"),
    )
)


def stack_finding(status: str, missing: list[str], deploy: str) -> Finding:
    """Judge the stack by its status and its missing outputs."""
    text = f"{STACK} is {status}"
    if status.endswith("_IN_PROGRESS") and status not in UNMADE:
        remedy = "Check again when it is done. A run in progress ends with CodeChangedError if its code changes."
        return Finding("stack", "warning", text, remedy)
    if status in UNMADE or status == "DELETE_COMPLETE" or status.endswith("_FAILED"):
        below = ", or in the findings below," if status in UNMADE else ","
        remedy = f"See the reason in its events in CloudFormation{below} then deploy it again:"
        return Finding("stack", "problem", f"{text}.", remedy, deploy)
    if missing:
        text = f"{text} and has no output {', '.join(missing)}: it isn't the pipeline's, or is incomplete"
        return Finding("stack", "problem", text, "Deploy it again:", deploy)
    if "ROLLBACK" in status:
        remedy = "It works as before. See in its events in CloudFormation why the last deployment failed."
        return Finding("stack", "warning", f"{text}: the last deployment was undone.", remedy)
    return Finding("stack", "ok", text)


def obstacle_findings(
    client: Callable[[str], Any], bucket: str, status: str, options: Sequence[str]
) -> Iterator[Finding]:
    """Name the obstacles, and both ways out; `status` is the stack's, empty if there is none."""
    found = [*_tables(client("dynamodb")), *_bucket(client("s3"), bucket), *_log_groups(client("logs"))]
    if not found:
        return
    names = ", ".join(f"{each.kind} {each.name}" for each in found)
    text = f"{names}: there already and not in the stack, so a deployment fails without naming them"
    keep = [*_emptied(status, options), *_imported(found)]
    yield Finding("in the way", "problem", text, "Take them into the stack, with their data:", " && ".join(keep))
    other = "The other way out is to delete them with all their data"
    remedy = "You can't undo that. Deploy the stack afterwards:"
    yield Finding("in the way", "problem", other, remedy, " && ".join(_deleted(found, options)))


def refusal_findings(cloudformation: Any) -> Iterator[Finding]:
    """The reasons why CloudFormation didn't begin to make the stack; only DescribeEvents has them."""
    events = cloudformation.describe_events(StackName=STACK, Filters={"FailedEvents": True})["OperationEvents"]
    failed = (event for event in events if event.get("ValidationStatus") == "FAILED")
    for text in dict.fromkeys(
        f"{each.get('LogicalResourceId')}: {each.get('ValidationStatusReason')}" for each in failed
    ):
        yield Finding("refused", "problem", text, "Correct this, and deploy again.")


def _tables(dynamodb: Any) -> Iterator[Obstacle]:
    for each in TABLES:
        if _is_there(partial(dynamodb.describe_table, TableName=each.name)):
            yield each


def _bucket(s3: Any, name: str) -> Iterator[Obstacle]:
    if _is_there(partial(s3.head_bucket, Bucket=name)):
        yield replace(BUCKET, name=name)


def _log_groups(logs: Any) -> Iterator[Obstacle]:
    listed = logs.get_paginator("describe_log_groups").paginate
    pages = (page for prefix in (_LAMBDA, _STATES) for page in listed(logGroupNamePrefix=prefix))
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
    """Delete the stack of a failed deployment: it has a template, and nothing can be imported into it."""
    if not status:
        return []
    words = ("--stack-name", STACK)
    return _lines(
        [
            aws("cloudformation", "delete-stack", *words),
            aws("cloudformation", "wait", "stack-delete-complete", *words),
        ],
        options,
    )


def _imported(found: Sequence[Obstacle]) -> list[str]:
    """Import them into a new stack without other resources, and let a deployment add the rest."""
    mapping = json.dumps({each.logical_id: {each.identifier: each.name} for each in found}, separators=(",", ":"))
    return [
        shell_words("cdk", "import", STACK, *_KEEP, "--resource-mapping-inline", mapping),
        shell_words("cdk", "deploy", STACK, *_KEEP),
    ]


def _deleted(found: Sequence[Obstacle], options: Sequence[str]) -> list[str]:
    words = {
        "table": "dynamodb delete-table --table-name {}",
        "bucket": "s3 rb --force s3://{}",
        "log group": "logs delete-log-group --log-group-name {}",
    }
    return _lines([aws(*words[each.kind].format(each.name).split()) for each in found], options)


def _lines(lines: Sequence[str], options: Sequence[str]) -> list[str]:
    return [" ".join([line, *options]) for line in lines]
