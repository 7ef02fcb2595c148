"""Messages for errors of AWS and of the local environment, by their reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from etl.aws.backoff import THROTTLING_CODES
from etl_cli.aws.deploy_line import deploy_line, is_local
from etl_cli.aws.shell_settings import (
    explain_settings,
    has_aws_settings,
    own_environment,
    whose_credentials,
    with_local_hint,
)
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command, environment_line

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# AWS's answers to unusable credentials. Sources: the services' API references, "Common errors".
_UNUSABLE = _EXPIRED | {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_ACTION = re.compile(r"perform: ([a-z0-9-]+:\w+)")
# Actions with another name than their operation. Source: S3 API reference, HeadBucket.
_ACTIONS = {"s3:HeadBucket": "s3:ListBucket"}


def explained(error: Exception, profile: str | None = None, endpoint: str = "") -> UserError:
    """The reason why a request wasn't sent or answered, or was refused."""
    endpoint = endpoint or str(getattr(error, "kwargs", {}).get("endpoint_url", ""))
    refused = isinstance(error, ClientError)
    if is_local(endpoint) and (refused or is_unreachable(error)):
        return _refused_by_local(error, endpoint) if refused else _local_does_not_answer(endpoint)
    if isinstance(error, ClientError):
        return with_local_hint(_refused_by_aws(error, profile))
    return with_local_hint(_aws_does_not_answer(error) if is_unreachable(error) else explain_settings(error, profile))


def explained_midway(error: Exception, endpoint: str, progress: str, lines: Sequence[str]) -> UserError:
    """The reason why AWS doesn't answer any more, with the progress of work that goes on, and how to continue it."""
    reason = explained(error, endpoint=endpoint)
    if is_local(endpoint) and is_unreachable(error):  # its runs have ended with it
        return reason
    return UserError(reason.message, f"{reason.remedy} {progress}", remedy_lines=[*reason.remedy_lines, *lines])


def is_unreachable(error: Exception) -> bool:
    """Whether there was no answer."""
    return isinstance(error, (aws.ConnectionError, aws.HTTPClientError))


def is_denied(error: ClientError) -> bool:
    """Whether a permission is missing."""
    return error.response["Error"]["Code"] in _DENIED


def are_unusable(error: Exception) -> bool:
    """Whether no request can succeed with these credentials."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _UNUSABLE
    return isinstance(error, BotoCoreError) and not is_unreachable(error)


def denied_action(error: ClientError, service: str = "") -> str:
    """The action in IAM whose permission is missing. Not every service names it; then its prefix helps."""
    named = _ACTION.search(error.response["Error"].get("Message", ""))
    asked = f"{service}:{error.operation_name}" if service else error.operation_name
    return named[1] if named else _ACTIONS.get(asked, asked)


def _local_does_not_answer(endpoint: str) -> UserError:
    message, own = f"The local environment does not answer at {endpoint}.", own_environment()
    if own.is_up and own.endpoint != endpoint:
        return UserError(message, f"This checkout's is at {own.endpoint}:", remedy_lines=_lines_to_load_variables())
    lines = [f"{command()} local {'reset' if own.state == 'unresponsive' else 'start'}", *_lines_to_load_variables()]
    return UserError(
        message,
        "Start it, and deploy into it, since its data went with it:",
        remedy_lines=[*lines, deploy_line(endpoint)],
    )


def _lines_to_load_variables() -> list[str]:
    """The line that loads the variables of this start into a shell that has those of another."""
    return [environment_line()] if has_aws_settings() else []


def _refused_by_local(error: Exception, endpoint: str) -> UserError:
    if are_unusable(error):
        message = f"The local environment at {endpoint} does not know the shell's access key."
        return UserError(
            message, "Each start makes another one. Load its variables:", remedy_lines=[environment_line()]
        )
    log = own_environment().state_dir / "server.log"
    return UserError(f"The local environment at {endpoint} refused a request: {error}", f"Its log: {log}")


def _refused_by_aws(error: ClientError, profile: str | None) -> UserError:
    code, whose = error.response["Error"]["Code"], whose_credentials(profile)
    if code in _EXPIRED:
        return UserError(f"The credentials of {whose} have expired: {error}", "Renew them, or give another --profile.")
    if code in _UNUSABLE:
        message = f"AWS does not accept the credentials of {whose}: {error}"
        return UserError(message, "Correct them, or give another --profile.")
    if code in _DENIED:
        remedy = f"Allow {denied_action(error)} to the credentials of {whose}, or give another --profile."
        return UserError(f"A permission is missing: {error}", remedy)
    if code in THROTTLING_CODES:
        return UserError(f"AWS asks to slow down: {error}", "Try again in a minute.")
    return UserError(f"AWS refused a request: {error}", "Try again. If it stays, see the AWS Health Dashboard.")


def _aws_does_not_answer(error: Exception) -> UserError:
    remedy = "Check the network, and the region's name, which is part of the address."
    if isinstance(error, aws.SSLError):
        remedy = "Set AWS_CA_BUNDLE to the file with your network's certificate."
    elif isinstance(error, aws.ProxyConnectionError):
        remedy = "Correct HTTPS_PROXY, or add the address to NO_PROXY."
    return UserError(f"AWS does not answer: {error}", remedy)
