"""What a look at a part of the pipeline has found, also when AWS refuses the look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError

Level = Literal["ok", "warning", "problem"]

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
_MISSING = {
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchBucket",
    "404",
}
# What AWS answers to credentials that are of no use. Sources: the services' API references, "Common errors".
_UNUSABLE = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_ACTION = re.compile(r"perform: ([a-z0-9-]+:\w+)")
# An action that isn't called after its operation. Source: S3 API reference, HeadBucket.
_ACTIONS = {"s3:HeadBucket": "s3:ListBucket"}


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
    code = error.response["Error"]["Code"]
    if code in _MISSING:
        return Finding(about, "problem", f"There is no {thing}", "The stack makes it: deploy it again.", deploy)
    if code in _DENIED:
        action = denied_action(error, service)
        return Finding(about, "problem", f"{action} is denied: {thing} can't be seen", f"Allow {action} to {identity}.")
    return Finding(about, "problem", f"{thing}: {error}", "Try again; if it stays, look into the AWS Health Dashboard.")


def denied_action(error: ClientError, service: str) -> str:
    """The action in IAM for which a permission is missing; not every service names it."""
    named = _ACTION.search(error.response["Error"].get("Message", ""))
    asked = f"{service}:{error.operation_name}"
    return named[1] if named else _ACTIONS.get(asked, asked)


def are_unusable(error: Exception) -> bool:
    """Whether an error says that no request can succeed with these credentials, whatever it asks for."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _UNUSABLE
    return isinstance(error, BotoCoreError) and not is_unreachable(error)


def is_unreachable(error: Exception) -> bool:
    """Whether an error says that nobody answered."""
    return isinstance(error, (AwsConnectionError, HTTPClientError))
