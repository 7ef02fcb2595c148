"""The deployed pipelines of an account and region, found by their stacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from etl.model.names import ETL, Names
from etl_cli.aws.error_messages import is_denied
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

STATE_MACHINE = "StateMachineArn"
OUTPUTS = {
    "source_table": "SourceTableName",
    "destination_table": "DestinationTableName",
    "staging_bucket": "StagingBucketName",
    "state_machine": STATE_MACHINE,
}
"""The outputs that every pipeline's stack has, by the attribute of a deployment for each."""


class UnknownPipelineError(UserError):
    """The chosen pipeline isn't deployed, and others are."""


class DeployedStack(NamedTuple):
    """The stack of a pipeline.

    Attributes:
        names: the names of the pipeline's resources.
        status: the stack's status; empty if there is no stack.
        outputs: its outputs, by OutputKey.
    """

    names: Names
    status: str = ""
    outputs: Mapping[str, str] = {}


def deployed_stacks(cloudformation: CloudFormationClient) -> list[DeployedStack]:
    """The stacks of all pipelines, by name. A stack that is being made has no outputs, and isn't among them."""
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    found = (_deployed(stack) for page in pages for stack in page["Stacks"])
    return sorted((each for each in found if each), key=lambda each: each.names.prefix)


def chosen_stack(cloudformation: CloudFormationClient, chosen: str | None) -> DeployedStack:
    """The stack of the chosen pipeline, or of the only one. The specification's if none is deployed.

    Args:
        cloudformation: a client.
        chosen: the beginning of the pipeline's names; None if you chose none.

    Raises:
        UserError: several are deployed and you chose none.
        UnknownPipelineError: the chosen one isn't deployed, but others are.
    """
    if chosen is None:
        return _only_stack(cloudformation)
    candidates = Names.beginning(chosen)
    for names in candidates:
        if Names.of_stack(names.stack) == names:  # Orders would find the stack of orders
            found = _described(cloudformation, names)
            if found.status:
                return found
    others = _allowed(cloudformation)
    if others:
        message = f"There is no pipeline {chosen}. Deployed: {_listed(others)}."
        raise UnknownPipelineError(message, "Choose one of these.")
    return DeployedStack(candidates[0])


def _only_stack(cloudformation: CloudFormationClient) -> DeployedStack:
    stacks = _allowed(cloudformation)
    if len(stacks) > 1:
        first = stacks[0].names.prefix
        raise UserError(
            f"Several pipelines are deployed: {_listed(stacks)}.",
            "Choose one with --pipeline, or set ETL_PIPELINE:",
            remedy_lines=[f"{command()} --pipeline {first} runs"],
        )
    return stacks[0] if stacks else _described(cloudformation, ETL)


def _allowed(cloudformation: CloudFormationClient) -> list[DeployedStack]:
    """All deployed pipelines; none if you may not list stacks."""
    try:
        return deployed_stacks(cloudformation)
    except ClientError as error:
        if not is_denied(error):
            raise
        return []


def _described(cloudformation: CloudFormationClient, names: Names) -> DeployedStack:
    try:
        (stack,) = cloudformation.describe_stacks(StackName=names.stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # there is no such stack
            raise
        return DeployedStack(names)
    return DeployedStack(names, stack["StackStatus"], outputs_of(stack))


def outputs_of(stack: Any) -> dict[str, str]:
    """The outputs of a described stack, by OutputKey."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _deployed(stack: Any) -> DeployedStack | None:
    names, outputs = Names.of_stack(stack["StackName"]), outputs_of(stack)
    if not names or not outputs.keys() >= {*OUTPUTS.values()}:
        return None
    if outputs[STATE_MACHINE].rpartition(":")[2] == names.state_machine:
        return DeployedStack(names, stack["StackStatus"], outputs)
    return None


def _listed(stacks: Sequence[DeployedStack]) -> str:
    return ", ".join(each.names.prefix for each in stacks)
