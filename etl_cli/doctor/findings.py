"""What a look at a part of the pipeline has found, also when AWS refuses the look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError

from etl_cli.aws.refusals import denied_action, is_denied
from etl_cli.terminal.errors import UserError

Level = Literal["ok", "warning", "problem"]

_MISSING = {
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchBucket",
    "404",
}


@dataclass(frozen=True)
class Finding:
    """What a look has found.

    Attributes:
        about: what was looked at, in a word or two.
        text: how it is.
        remedy: what to do; empty when all is well.
        command: a line for a shell that helps; may be empty.
    """

    about: str
    level: Level
    text: str
    remedy: str = ""
    command: str = ""


def problem(about: str, error: UserError) -> Finding:
    """A message of the command as a finding."""
    return Finding(about, "problem", error.message, error.remedy, " && ".join(error.remedy_lines))


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that there is no such thing."""
    return error.response["Error"]["Code"] in _MISSING


def explained(error: Exception, about: str, service: str, thing: str, *, identity: str, deploy: str) -> Finding:
    """What an error of AWS says of the thing that was looked at.

    Args:
        error: as boto3 raises it.
        about: what the finding is about.
        service: prefix of the service's actions in IAM, such as ``states``.
        thing: what was asked about, such as ``table etl-run-ledger``.
        identity: who asked.
        deploy: the line that deploys the stack.
    """
    if not isinstance(error, ClientError):
        return Finding(about, "problem", f"{thing}: {error}", "Look at the network, and at the AWS settings.")
    if is_missing(error):
        return Finding(about, "problem", f"There is no {thing}", "The stack makes it: deploy it again.", deploy)
    if is_denied(error):
        action = denied_action(error, service)
        return Finding(about, "problem", f"{action} is denied: {thing} can't be seen", f"Allow {action} to {identity}.")
    return Finding(about, "problem", f"{thing}: {error}", "Try again; if it stays, look into the AWS Health Dashboard.")
