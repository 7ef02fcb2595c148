"""A finding about a part of the pipeline, also when AWS refuses to show the part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import ClientError

from etl_cli.aws.error_messages import denied_action, is_denied
from etl_cli.terminal.errors import UserError

Level = Literal["ok", "warning", "problem"]

STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "problem": "bold red"}
LEVELS: tuple[Level, ...] = ("ok", "warning", "problem")
"""From the best to the worst."""

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
    """The state of a part, the next step (empty when all is well), and a line for a shell that helps."""

    about: str
    level: Level
    text: str
    remedy: str = ""
    command: str = ""


def problem(about: str, error: UserError) -> Finding:
    """An error of the command as a finding."""
    return Finding(about, "problem", error.message, error.remedy, " && ".join(error.remedy_lines))


def is_missing(error: ClientError) -> bool:
    """Whether AWS says that the thing doesn't exist."""
    return error.response["Error"]["Code"] in _MISSING


def explained(error: Exception, about: str, service: str, thing: str, *, identity: str, deploy: str) -> Finding:
    """An error of boto3 as a finding on a thing; ``service`` is the prefix of the service's actions in IAM."""
    if not isinstance(error, ClientError):
        return Finding(about, "problem", f"{thing}: {error}", "Check the network and the AWS settings.")
    if is_missing(error):
        return Finding(about, "problem", f"There is no {thing}", "The stack makes it: deploy it again.", deploy)
    if is_denied(error):
        action = denied_action(error, service)
        return Finding(about, "problem", f"{action} is denied: {thing} can't be seen", f"Allow {action} to {identity}.")
    return Finding(about, "problem", f"{thing}: {error}", "Try again. If it stays, see the AWS Health Dashboard.")
