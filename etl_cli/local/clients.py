"""AWS clients of a local environment. The user's own AWS settings don't affect them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient


@dataclass(frozen=True)
class StackSummary:
    """A deployed CloudFormation stack: its name, its status, and its outputs by OutputKey."""

    name: str
    status: str
    outputs: dict[str, str] = field(default_factory=dict)


def _client(service: str) -> Any:
    return cached_property(lambda clients: clients.session.client(service, **clients.options))


class Clients:
    """Typed boto3 clients of one endpoint, each made at its first use."""

    cloudformation: CloudFormationClient = _client("cloudformation")
    dynamodb: DynamoDBClient = _client("dynamodb")
    events: EventBridgeClient = _client("events")
    iam: IAMClient = _client("iam")
    lambda_: LambdaClient = _client("lambda")
    logs: CloudWatchLogsClient = _client("logs")
    s3: S3Client = _client("s3")
    stepfunctions: SFNClient = _client("stepfunctions")
    sts: STSClient = _client("sts")

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Take endpoint, credentials, region and certificate from `LocalEnvironment.variables()`."""
        self._variables = variables

    @cached_property
    def session(self) -> boto3.Session:
        """The session. Its clients need `**options`."""
        import boto3  # slow to import
        import botocore.session

        # No profile, configuration file or variable of the user's can redirect these clients.
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
                "ca_bundle": (None, None, None, None),
            }
        )
        return boto3.Session(
            aws_access_key_id=self._variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._variables["AWS_SECRET_ACCESS_KEY"],
            region_name=self._variables["AWS_DEFAULT_REGION"],
            botocore_session=core,
        )

    @cached_property
    def options(self) -> dict[str, Any]:
        """Arguments for `session.client(name, **options)`: endpoint, certificate, modest retries, no proxy."""
        from botocore.config import Config

        return {
            "endpoint_url": self._variables["AWS_ENDPOINT_URL"],
            "verify": self._variables.get("AWS_CA_BUNDLE"),
            "config": Config(
                retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=330, proxies={}
            ),
        }

    def stacks(self) -> list[StackSummary]:
        """List the stacks that exist, by name."""
        pages = self.cloudformation.get_paginator("describe_stacks").paginate()
        found = [
            StackSummary(
                stack["StackName"],
                stack["StackStatus"],
                {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
            )
            for page in pages
            for stack in page["Stacks"]
        ]
        return sorted((stack for stack in found if stack.status != "DELETE_COMPLETE"), key=lambda stack: stack.name)

    def has_stack(self, name: str) -> bool:
        """Whether a stack exists and is complete."""
        return any(stack.name == name and stack.status.endswith("_COMPLETE") for stack in self.stacks())
