"""Why AWS, or a local environment, can't be asked, and what to do about it: by the reason, not by the error's name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from botocore import exceptions as aws
from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.aws.deployment import deploy_line, is_local
from etl_cli.aws.shell_settings import explain_settings, has_aws_settings, or_local, own_environment, whose_credentials
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command, environment_line

_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
# What AWS answers to credentials that are of no use. Sources: the services' API references, "Common errors".
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
_SLOW_DOWN = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_ACTION = re.compile(r"perform: ([a-z0-9-]+:\w+)")
# An action that isn't called after its operation. Source: S3 API reference, HeadBucket.
_ACTIONS = {"s3:HeadBucket": "s3:ListBucket"}


def explained(error: Exception, profile: str | None = None, endpoint: str = "") -> UserError:
    """Why a request could not be made, was not answered, or was refused.

    Args:
        error: as boto3 raises it.
        profile: the option --profile.
        endpoint: where the request went; empty where that isn't known.
    """
    endpoint = endpoint or str(getattr(error, "kwargs", {}).get("endpoint_url", ""))
    refused = isinstance(error, ClientError)
    if is_local(endpoint) and (refused or is_unreachable(error)):
        return _refused_by_local(error, endpoint) if refused else _local_does_not_answer(endpoint)
    if isinstance(error, ClientError):
        return or_local(_refused_by_aws(error, profile))
    return or_local(_aws_does_not_answer(error) if is_unreachable(error) else explain_settings(error, profile))


def explained_midway(error: Exception, endpoint: str, standing: str, lines: Sequence[str]) -> UserError:
    """Why AWS can't be asked any more about work that goes on without the command.

    Args:
        error: as boto3 raises it.
        endpoint: where the request went.
        standing: how far the work is.
        lines: how to go on.
    """
    reason = explained(error, endpoint=endpoint)
    if is_local(endpoint) and is_unreachable(error):  # its runs have ended with it
        return reason
    return UserError(reason.message, f"{reason.remedy} {standing}", remedy_lines=[*reason.remedy_lines, *lines])


def is_unreachable(error: Exception) -> bool:
    """Whether an error says that nobody answered."""
    return isinstance(error, (aws.ConnectionError, aws.HTTPClientError))


def is_denied(error: ClientError) -> bool:
    """Whether an error says that a permission is missing."""
    return error.response["Error"]["Code"] in _DENIED


def are_unusable(error: Exception) -> bool:
    """Whether an error says that no request can succeed with these credentials, whatever it asks for."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"] in _UNUSABLE
    return isinstance(error, BotoCoreError) and not is_unreachable(error)


def denied_action(error: ClientError, service: str = "") -> str:
    """The action in IAM for which a permission is missing; not every service names it.

    Args:
        error: as boto3 raises it.
        service: prefix of the service's actions in IAM, such as ``states``; empty where that isn't known.
    """
    named = _ACTION.search(error.response["Error"].get("Message", ""))
    asked = f"{service}:{error.operation_name}" if service else error.operation_name
    return named[1] if named else _ACTIONS.get(asked, asked)


def _local_does_not_answer(endpoint: str) -> UserError:
    message, own = f"The local environment does not answer at {endpoint}.", own_environment()
    if own.is_up and own.endpoint != endpoint:
        return UserError(message, f"This checkout's is at {own.endpoint}:", remedy_lines=_taking())
    lines = [f"{command()} local {'reset' if own.state == 'unresponsive' else 'start'}", *_taking()]
    return UserError(
        message,
        "Start it, and deploy into it, since its data went with it:",
        remedy_lines=[*lines, deploy_line(endpoint)],
    )


def _taking() -> list[str]:
    """The line that takes the variables of this start, in a shell that has those of another."""
    return [environment_line()] if has_aws_settings() else []


def _refused_by_local(error: Exception, endpoint: str) -> UserError:
    if are_unusable(error):
        message = f"The local environment at {endpoint} does not know the shell's access key."
        return UserError(
            message, "Each start makes another one. Take its variables:", remedy_lines=[environment_line()]
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
    if code in _SLOW_DOWN:
        return UserError(f"AWS asks to slow down: {error}", "Try again in a minute.")
    return UserError(f"AWS refused a request: {error}", "Try again; if it stays, look into the AWS Health Dashboard.")


def _aws_does_not_answer(error: Exception) -> UserError:
    remedy = "Look at the network, and at the region's name, which is a part of the address."
    if isinstance(error, aws.SSLError):
        remedy = "Have AWS_CA_BUNDLE name the file with the certificate of the network that you are in."
    elif isinstance(error, aws.ProxyConnectionError):
        remedy = "Correct HTTPS_PROXY, or name the address in NO_PROXY."
    return UserError(f"AWS does not answer: {error}", remedy)
