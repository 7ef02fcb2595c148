"""Clients of AWS, and what their errors mean to a run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as UnreachableError
from botocore.session import Session

from etl.errors import ConfigurationError, EtlError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_CONNECTIONS = 16


def _config(attempts: int) -> Config:
    """Time-outs in seconds; ``attempts`` of one request, with botocore's jittered backoff between them."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=30,
        max_pool_connections=_CONNECTIONS,
        parameter_validation=False,  # a raw body stands in for the parameters that would be missed
    )


# Codes with which AWS says "later". Source: botocore's standard retry mode, and the services' API references.
TRANSIENT_CODES = frozenset(
    (
        "InternalError",
        "InternalServerError",
        "ConditionalRequestConflict",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)
_SERVER_ERROR = 500

_RESTORE = "deploy the stack; what somebody deleted by hand comes back when the stack is destroyed and deployed anew"
_DENIED = "the function's role doesn't allow it: deploy the stack again, and look for a policy that denies it"
# Requests of DynamoDB that bring items or keys of items.
_WITH_ITEMS = ("BatchWriteItem", "BatchGetItem", "Scan")
_REMEDIES = {
    "ResourceNotFoundException": f"the table isn't there: {_RESTORE}",
    "NoSuchBucket": f"the staging bucket isn't there: {_RESTORE}",
    "AccessDenied": _DENIED,
    "AccessDeniedException": _DENIED,
}


def s3_client() -> "S3Client":
    """A client of S3.

    Bodies are signed by TLS and a CRC32 of theirs, as with botocore's default; a caller that gives the CRC32 of a
    large body itself spares it the wrapping of the body into chunks, and a SHA-256.
    """
    unsigned = Config(s3={"payload_signing_enabled": False})
    return boto3.client("s3", config=_config(attempts=6).merge(unsigned))


def dynamodb_client(attempts: int = 6, session: Session | None = None) -> "DynamoDBClient":
    """A client of DynamoDB whose Scan, BatchGetItem and BatchWriteItem take and give bytes, beside the usual way.

    A request may carry ``RawBody``, the body to send; an answer of one of the three has ``RawBody``, the bytes
    that DynamoDB sent. The hooks are botocore's public events: credentials, signing, retries, checksums,
    endpoints and tracing stay botocore's own. What is left out is building and parsing each item, which costs
    most of the time that a tutorial's pipeline takes. A botocore older than ``before-parse`` answers with
    parsed items.

    Args:
        attempts: attempts of one request before its error is raised.
        session: where its credentials come from; boto3's default session when None.
    """
    maker = boto3.Session(botocore_session=session) if session else boto3
    client = maker.client("dynamodb", config=_config(attempts))
    for operation in _WITH_ITEMS:
        client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", _take_raw_body)
        client.meta.events.register(f"before-call.dynamodb.{operation}", _send_raw_body)
        client.meta.events.register(f"before-parse.dynamodb.{operation}", _keep_raw_body)
    return client


def _take_raw_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["raw_body"] = params.pop("RawBody", None)


def _send_raw_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if context["raw_body"] is not None:
        params["body"] = context["raw_body"]


def _keep_raw_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] < 300:  # an error is parsed as ever, and raised
        customized_response_dict["RawBody"] = response_dict["body"]
        response_dict["body"] = b"{}"


def is_transient(error: Exception) -> bool:
    """Whether an error of botocore passes by itself."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in TRANSIENT_CODES or status >= _SERVER_ERROR
    passing = (UnreachableError, HTTPClientError, IncompleteReadError, ChecksumError, FlexibleChecksumError)
    return isinstance(error, passing)


def explained(error: ClientError | BotoCoreError, resources: Sequence[str] = ()) -> EtlError:
    """An error of AWS as the pipeline's own, with what to do about it.

    Args:
        error: as botocore raised it.
        resources: names of the table and the bucket that the function uses, which AWS's message often lacks.
    """
    if is_transient(error):
        return TransientError(
            f"AWS was out of reach or asked to slow down for longer than one invocation waits: {_told(error)}"
        )
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    remedy = _REMEDIES.get(code, "this is not expected to pass by itself")
    used = f" (this function uses {' and '.join(resources)})" if resources else ""
    return ConfigurationError(f"{_told(error)}: {remedy}{used}")


def _told(error: ClientError | BotoCoreError) -> str:
    """What AWS says, unless it may quote the items that the request brought."""
    if not isinstance(error, ClientError) or error.operation_name not in _WITH_ITEMS:
        return str(error)
    code = error.response["Error"]["Code"]
    if code in TRANSIENT_CODES or code in _REMEDIES:
        return str(error)
    return f"{error.operation_name} was refused with {code} (its message isn't told, since it may quote an item)"
