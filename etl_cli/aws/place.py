"""The place of a verb: AWS by its options and the AWS settings, or else this checkout's local environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from etl_cli.aws.error_messages import explained
from etl_cli.aws.shell_settings import REGION_VARIABLES, has_aws_settings, missing_region, own_environment
from etl_cli.local.environment import LocalEnvironment
from etl_cli.terminal.console import err
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT, command, environment_line

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config


@dataclass(frozen=True)
class Place:
    """Credentials and region, arguments for each client (such as an endpoint), and the option --profile."""

    session: boto3.Session
    options: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None

    def client(self, service: str, config: Config, changes: Mapping[str, str] | None = None) -> Any:
        """A client of a service, with a configuration on top of the place's own, and perhaps other options."""
        own = self.options.get("config")
        options = {**self.options, "config": own.merge(config) if own else config, **(changes or {})}
        return self.session.client(service, **options)  # type: ignore[call-overload]

    @property
    def endpoint(self) -> str:
        """The address of AWS's services; empty if the settings have none."""
        try:
            return str(self.session.client("sts", **self.options).meta.endpoint_url)
        except (BotoCoreError, ValueError):
            return ""

    def explained(self, error: Exception) -> UserError:
        """The reason why a request wasn't sent or answered, or was refused."""
        return explained(error, self.profile, self.endpoint)


def find_place(profile: str | None = None, region: str | None = None) -> Place:
    """Find the place. It is the local environment only if there are no AWS settings at all.

    Raises:
        UserError: the settings name no place, or there are none and the local environment isn't up.
    """
    import boto3

    if not (profile or region or has_aws_settings()):
        return _local_place()
    try:
        session = boto3.Session(profile_name=profile, region_name=region or os.environ.get(REGION_VARIABLES[0]) or None)
        known = session.region_name
    except BotoCoreError as error:
        raise explained(error, profile) from None
    if not known:
        raise missing_region(profile)
    return Place(session, profile=profile)


def _local_place() -> Place:
    status = own_environment()
    if not status.is_up:
        start = "reset" if status.state == "unresponsive" else "start"
        raise UserError(
            f"There are no AWS settings, and the local environment {status.words}.",
            "For AWS, give --profile, or set AWS_PROFILE. For the local environment:",
            remedy_lines=[f"{command()} local {start}", f"{command()} local deploy"],
        )
    err.print(
        f"Using the local environment at {status.endpoint}, since there are no AWS settings. "
        f"For aws and cdk, too: {environment_line()}"
    )
    clients = LocalEnvironment(ROOT).clients()
    return Place(clients.session, clients.options)
