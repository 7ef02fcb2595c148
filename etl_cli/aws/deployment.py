"""The deployed pipeline, on AWS or in the local environment: its stack's outputs, and AWS clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from etl.model.names import STACK
from etl.model.stages import BY_ACTION, EXTRACT
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient


# The stack's outputs, by the attribute for each.
_OUTPUTS = {
    "source_table": "SourceTableName",
    "destination_table": "DestinationTableName",
    "staging_bucket": "StagingBucketName",
    "state_machine": "StateMachineArn",
}


class MissingStackError(UserError):
    """The pipeline isn't deployed in this place."""


@dataclass(frozen=True)
class Deployment:
    """A deployed pipeline: names, the state machine's ARN, and clients; ``client`` makes those of other services."""

    source_table: str
    destination_table: str
    staging_bucket: str
    state_machine: str
    dynamodb: DynamoDBClient
    s3: S3Client
    stepfunctions: SFNClient
    client: Callable[..., Any]

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """The variables of Extract, which have the settings of the tables."""
        found = self.client("lambda").get_function_configuration(FunctionName=BY_ACTION[EXTRACT].function)
        variables: Mapping[str, str] = found.get("Environment", {}).get("Variables", {})
        return variables

    @classmethod
    def find(cls, session: boto3.Session, options: Mapping[str, Any] | None = None, stack: str = STACK) -> Deployment:
        """Find the pipeline of a stack, by the stack's outputs; the options are arguments for each client.

        Raises:
            MissingStackError: there is no such stack.
            UserError: the stack isn't a pipeline's.
        """
        options = dict(options or {})
        cloudformation = session.client("cloudformation", **options)
        deploy = deploy_line(cloudformation.meta.endpoint_url, stack=stack)
        outputs = _outputs(cloudformation, stack, deploy)
        missing = [name for name in _OUTPUTS.values() if name not in outputs]
        if missing:
            raise UserError(
                f"The stack {stack} has no output {', '.join(missing)}: it isn't the pipeline's, or is incomplete.",
                f"Deploy it again: {deploy}",
            )
        return cls(
            **{attribute: outputs[name] for attribute, name in _OUTPUTS.items()},
            dynamodb=session.client("dynamodb", **options),
            s3=session.client("s3", **options),
            stepfunctions=session.client("stepfunctions", **options),
            client=partial(session.client, **options),
        )

    def start(self, name: str, execution_input: Mapping[str, Any] | None = None) -> str:
        """Start an execution with a new name, and return its ARN."""
        return self.stepfunctions.start_execution(
            stateMachineArn=self.state_machine, name=name, input=json.dumps(execution_input or {})
        )["executionArn"]

    def execution(self, name: str) -> str:
        """The ARN of an execution by its name, whether or not it exists."""
        return f"{self.state_machine.replace(':stateMachine:', ':execution:', 1)}:{name}"


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is on this machine: a local environment's."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def deploy_line(endpoint: str, context: Sequence[str] = (), *, stack: str = STACK) -> str:
    """The line for a shell that deploys the stack, with CDK context values such as ``etl:lookback_hours=48``."""
    words = [word for value in context for word in ("-c", value)]
    if is_local(endpoint):  # where the CDK CLI needs variables and a bootstrapped account
        return shell_words(command(), "local", "deploy", *words)
    return shell_words("cdk", "deploy", stack, *words)


def _outputs(cloudformation: CloudFormationClient, stack: str, deploy: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        meta = cloudformation.meta
        where = f"the local environment at {meta.endpoint_url}" if is_local(meta.endpoint_url) else meta.region_name
        raise MissingStackError(f"There is no stack {stack} in {where}.", f"Deploy it: {deploy}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
