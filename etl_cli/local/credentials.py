"""Access keys of the embedded AWS: the environment's own, and the session keys that it issues."""

from __future__ import annotations

import hmac
import secrets
import string
from typing import Any, NamedTuple

from etl_cli.local.request import Received, Refusal


class AccessKey(NamedTuple):
    """An access key of AWS."""

    id: str
    secret: str


def random_key() -> AccessKey:
    """Make an access key that nobody can guess, in AWS's form (IAM User Guide, "IAM identifiers")."""
    return AccessKey("AKIA" + _random_id(), secrets.token_hex(20))


def _random_id() -> str:
    return "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def presented_key(request: Received) -> str | None:
    """Find the one access key of a request; None if it presents none, or several."""
    from ministack.core.router import extract_access_key_id

    in_query = sum(
        len(values) for name, values in request.query.items() if name.lower() in ("x-amz-credential", "awsaccesskeyid")
    )
    if in_query + ("authorization" in request.headers) != 1:
        return None
    return extract_access_key_id(request.headers, request.query) or None


def refusal_of_key(key: str | None, own: AccessKey, session_token: str) -> Refusal | None:
    """Refuse every key but the environment's own and those that it has issued.

    ministack accepts "test" and every number of twelve digits as its owner's key. Here they are unknown.
    """
    from ministack.core import iam_evaluator

    if key is None:
        return Refusal(
            "MissingAuthenticationToken", 'Requests need the local environment\'s access key: eval "$(etl local env)"'
        )
    unknown = Refusal(
        "UnrecognizedClientException",
        'The access key is not this environment\'s; each start makes a new one: eval "$(etl local env)"',
    )
    if iam_evaluator.is_root_access_key(key) and not hmac.compare_digest(key.encode(), own.id.encode()):
        return unknown
    found = resolve_key(key, session_token)
    if isinstance(found, iam_evaluator.CredentialResolutionError):
        return unknown if found.code == "UnrecognizedClientException" else Refusal(found.code, found.message)
    return None


def account_of(key: str) -> str | None:
    """Find the account of a key; None for the environment's own."""
    from ministack.core.iam_evaluator import find_iam_access_key_account
    from ministack.core.responses import _account_from_sts_session

    account: str | None = _account_from_sts_session(key) or find_iam_access_key_account(key)
    return account


def resolve_key(key: str, session_token: str) -> Any:
    """Return ministack's ResolvedCredential of a key, or its CredentialResolutionError."""
    from ministack.core.iam_evaluator import resolve_credential

    return resolve_credential(key, account_of(key), session_token)


def give_functions_sessions() -> None:
    """Give each function a session with a random key; ministack derives its keys from the function's name."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc, sts

    given: dict[tuple[str, str], dict[str, str]] = {}

    def session_of(config: dict[str, Any]) -> dict[str, str]:
        function, role = config["FunctionArn"], config.get("Role", "")
        account, name = function.split(":")[4], role.rpartition("/")[2]
        keys = given.setdefault(
            (function, role),
            {
                "AWS_ACCESS_KEY_ID": "ASIA" + _random_id(),
                "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
                "AWS_SESSION_TOKEN": secrets.token_hex(32),
            },
        )
        session = config.get("FunctionName", "function")[:64]
        sts.register_session(
            keys["AWS_ACCESS_KEY_ID"],
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
                "UserId": f"{name}:{session}",
                "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                "SessionToken": keys["AWS_SESSION_TOKEN"],
            },
        )
        return keys

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = session_of
