"""The stack, and obstacles to its deployment: resources with its names that belong to no stack, and two ways out.

CloudFormation checks for them before it makes anything, and its own message names none (CloudFormation user guide,
"Validate stack deployments"; github.com/aws/aws-cdk-cli/issues/1000).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from etl.model.names import Names
from etl.model.stages import FUNCTIONS
from etl_cli.aws.cli_lines import aws
from etl_cli.aws.deploy_line import context_words
from etl_cli.doctor.findings import Finding, is_missing
from etl_cli.terminal.printable import shell_words

# A stack with these statuses has no resources, or none any more. A deleted stack can't be described.
UNMADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
_KEEP = "removal_policy=retain"


class Obstacle(NamedTuple):
    """A resource that a deployment would make: its kind, its name, and its id in the stack's template."""

    kind: str
    name: str
    logical_id: str


_TABLE, _BUCKET, _LOG_GROUP = "table", "bucket", "log group"
# The ids of the functions' log groups, in the functions' order.
_FUNCTION_LOGS = ("ExtractLogs56BFE9EB", "TransformLogs6C6200D4", "LoadLogsFED4C05A")
# The property by which CloudFormation imports a resource (CloudFormation user guide, "Resource type support").
IDENTIFIERS = {_TABLE: "TableName", _BUCKET: "BucketName", _LOG_GROUP: "LogGroupName"}
_DELETE = {
    _TABLE: "dynamodb delete-table --table-name {}",
    _BUCKET: "s3 rb --force s3://{}",
    _LOG_GROUP: "logs delete-log-group --log-group-name {}",
}


def obstacles(names: Names, bucket: str) -> list[Obstacle]:
    """The resources with fixed names that a deployment would make, and that outlive a stack."""
    functions = zip(FUNCTIONS, _FUNCTION_LOGS, strict=True)
    return [
        Obstacle(_TABLE, names.source_table, "SourceTable70380C26"),
        Obstacle(_TABLE, names.destination_table, "DestinationTableE41E7513"),
        Obstacle(_TABLE, names.ledger_table, "RunLedgerTable3162D107"),
        Obstacle(_BUCKET, bucket, "StagingBucket9644C37C"),
        *(Obstacle(_LOG_GROUP, names.log_group(each), its) for each, its in functions),
        Obstacle(_LOG_GROUP, names.states_log_group(names.state_machine), "WorkflowLogs8B0907C7"),
        Obstacle(_LOG_GROUP, names.states_log_group(names.recorder), "RunRecorderLogs0853A091"),
        Obstacle(_LOG_GROUP, names.states_log_group(names.watch), "WatermarkWatchLogs039FDCB3"),
    ]


def stack_finding(stack: str, status: str, missing: list[str], deploy: str) -> Finding:
    """Judge the stack by its status and its missing outputs."""
    text = f"{stack} is {status}"
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
    client: Callable[[str], Any], names: Names, bucket: str, status: str, options: Sequence[str]
) -> Iterator[Finding]:
    """Name the obstacles, and both ways out; `status` is the stack's, empty if there is none."""
    found = list(_present(client, obstacles(names, bucket)))
    if not found:
        return
    listed = ", ".join(f"{each.kind} {each.name}" for each in found)
    text = f"{listed}: there already and not in the stack, so a deployment fails without naming them"
    keep = [*_emptied(names, status, options), *_imported(names, found)]
    yield Finding("in the way", "problem", text, "Take them into the stack, with their data:", " && ".join(keep))
    other = "The other way out is to delete them with all their data"
    remedy = "You can't undo that. Deploy the stack afterwards:"
    delete = [aws(*_DELETE[each.kind].format(each.name).split(), options=options) for each in found]
    yield Finding("in the way", "problem", other, remedy, " && ".join(delete))


def refusal_findings(cloudformation: Any, stack: str) -> Iterator[Finding]:
    """The reasons why CloudFormation didn't begin to make the stack; only DescribeEvents has them."""
    events = cloudformation.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
    failed = (event for event in events if event.get("ValidationStatus") == "FAILED")
    for text in dict.fromkeys(
        f"{each.get('LogicalResourceId')}: {each.get('ValidationStatusReason')}" for each in failed
    ):
        yield Finding("refused", "problem", text, "Correct this, and deploy again.")


def _present(client: Callable[[str], Any], possible: Sequence[Obstacle]) -> Iterator[Obstacle]:
    """The obstacles that exist."""
    dynamodb, s3, logs = map(client, ("dynamodb", "s3", "logs"))

    def has_log_group(name: str) -> bool:
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])

    is_present: dict[str, Callable[[str], bool]] = {
        _TABLE: lambda name: _is_there(partial(dynamodb.describe_table, TableName=name)),
        _BUCKET: lambda name: _is_there(partial(s3.head_bucket, Bucket=name)),
        _LOG_GROUP: has_log_group,
    }
    yield from (each for each in possible if is_present[each.kind](each.name))


def _is_there(look: Callable[[], object]) -> bool:
    try:
        look()
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def _emptied(names: Names, status: str, options: Sequence[str]) -> list[str]:
    """Delete the stack of a failed deployment: it has a template, and nothing can be imported into it."""
    if not status:
        return []
    steps = (["delete-stack"], ["wait", "stack-delete-complete"])
    return [aws("cloudformation", *step, "--stack-name", names.stack, options=options) for step in steps]


def _imported(names: Names, found: Sequence[Obstacle]) -> list[str]:
    """Import them into a new stack without other resources, and let a deployment add the rest."""
    keep = context_words(names, [_KEEP])
    mapping = json.dumps(
        {each.logical_id: {IDENTIFIERS[each.kind]: each.name} for each in found}, separators=(",", ":")
    )
    return [
        shell_words("cdk", "import", names.stack_id, *keep, "--resource-mapping-inline", mapping),
        shell_words("cdk", "deploy", names.stack_id, *keep),
    ]
