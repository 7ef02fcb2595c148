"""The deployed pipeline, on AWS or in the local environment: its stack's outputs, and AWS clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from etl.model.names import ETL, Names
from etl.model.stages import BY_ACTION, EXTRACT
from etl_cli.aws.deploy_line import deploy_line, is_local
from etl_cli.aws.pipelines import OUTPUTS, DeployedStack, chosen_stack
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient


class MissingStackError(UserError):
    """The pipeline isn't deployed in this place."""


@dataclass(frozen=True)
class Deployment:
    """A deployed pipeline: names, the state machine's ARN, and clients; ``client`` makes those of other services.

    Attributes:
        planned: the variables that Extract will have, of a pipeline that isn't deployed yet; None if it is deployed.
    """

    source_table: str
    destination_table: str
    staging_bucket: str
    state_machine: str
    dynamodb: DynamoDBClient
    s3: S3Client
    stepfunctions: SFNClient
    client: Callable[..., Any]
    names: Names = ETL
    planned: Mapping[str, str] | None = None

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """The variables of Extract, which have the settings of the tables."""
        if self.planned is not None:
            return self.planned
        function = self.names.function(BY_ACTION[EXTRACT].function)
        found = self.client("lambda").get_function_configuration(FunctionName=function)
        variables: Mapping[str, str] = found.get("Environment", {}).get("Variables", {})
        return variables

    @classmethod
    def find(
        cls, session: boto3.Session, options: Mapping[str, Any] | None = None, pipeline: str | None = None
    ) -> Deployment:
        """Find a deployed pipeline by its stack.

        Args:
            session: where to look.
            options: arguments for each client.
            pipeline: the beginning of its names; None for the only one that is deployed.

        Raises:
            MissingStackError: it isn't deployed.
            UserError: several pipelines are deployed, or the stack isn't a pipeline's.
        """
        options = dict(options or {})
        cloudformation = session.client("cloudformation", **options)
        meta = cloudformation.meta
        found = chosen_stack(cloudformation, pipeline)
        names, deploy = found.names, deploy_line(meta.endpoint_url, found.names)
        if not found.status:
            where = f"the local environment at {meta.endpoint_url}" if is_local(meta.endpoint_url) else meta.region_name
            raise MissingStackError(f"There is no stack {names.stack} in {where}.", f"Deploy it: {deploy}")
        missing = [name for name in OUTPUTS.values() if name not in found.outputs]
        if missing:
            raise UserError(
                f"The stack {names.stack} has no output {', '.join(missing)}: it isn't the pipeline's, or is "
                "incomplete.",
                f"Deploy it again: {deploy}",
            )
        return cls.of(found, session, options)

    @classmethod
    def of(cls, stack: DeployedStack, session: boto3.Session, options: Mapping[str, Any]) -> Deployment:
        """The pipeline of a stack that has all outputs."""
        return cls(
            **{attribute: stack.outputs[name] for attribute, name in OUTPUTS.items()},
            dynamodb=session.client("dynamodb", **options),
            s3=session.client("s3", **options),
            stepfunctions=session.client("stepfunctions", **options),
            client=partial(session.client, **options),
            names=stack.names,
            planned=None,
        )

    def deploy_line(self, settings: Sequence[str] = ()) -> str:
        """The line for a shell that deploys it again, with settings such as ``lookback_hours=48``."""
        return deploy_line(self.dynamodb.meta.endpoint_url, self.names, settings)

    def start(self, name: str, execution_input: Mapping[str, Any] | None = None) -> str:
        """Start an execution with a new name, and return its ARN."""
        return self.stepfunctions.start_execution(
            stateMachineArn=self.state_machine, name=name, input=json.dumps(execution_input or {})
        )["executionArn"]

    def execution(self, name: str) -> str:
        """The ARN of an execution by its name, whether or not it exists."""
        return f"{self.state_machine.replace(':stateMachine:', ':execution:', 1)}:{name}"
