"""Clients of AWS, and what their errors mean to a run."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

import boto3
import msgspec
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

from etl.backoff import Bridge
from etl.errors import ConfigurationError, EtlError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_CONNECTIONS = 16
# One attempt: how long a fault is bridged is decided here, and not by the version of the SDK that Lambda has.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=_CONNECTIONS,
    parameter_validation=False,  # a raw body stands in for the parameters that would be missed
)

# How long a client bridges a fault: a small part of an invocation.
BRIDGED_SECONDS = 20
# Methods of a client whose callers wait, within the time that is left: etl/scan.py and etl/destination.py.
_WAITED_FOR = frozenset(("scan", "batch_write_item"))
RAW_OPERATIONS = ("Scan", "BatchWriteItem")

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
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500

# Said of an upload that was completed or aborted. Source: S3 API Reference, "CompleteMultipartUpload".
_UPLOAD_GONE = "NoSuchUpload"
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
    """A client of S3, which bridges faults of ``BRIDGED_SECONDS``.

    Bodies are signed by TLS and a CRC32 of theirs, as with botocore's default; a caller that gives the CRC32 of a
    large body itself spares it the wrapping of the body into chunks, and a SHA-256.
    """
    unsigned = Config(s3={"payload_signing_enabled": False})
    client = _session("s3").client("s3", config=_CONFIG.merge(unsigned))
    client.meta.events.register("before-parse.s3", _check_whole)
    return client


def dynamodb_client(session: Session | None = None) -> "DynamoDBClient":
    """A client of DynamoDB whose ``RAW_OPERATIONS`` take and give bytes, beside the usual way.

    A request may carry ``RawBody``, the body to send; an answer of one of them has ``RawBody``, the bytes
    that DynamoDB sent. The hooks are botocore's events: credentials, signing, endpoints and tracing stay botocore's
    own. What is left out is building and parsing each item, which costs most of the time that a tutorial's pipeline
    takes. Of a client whose protocol isn't JSON the answers are parsed items.

    It bridges faults of ``BRIDGED_SECONDS``. Scan and BatchWriteItem make one attempt: their callers know how much
    time is left, and wait themselves.

    Args:
        session: where its credentials come from; boto3's default session when None.
    """
    client = _session("dynamodb", session).client("dynamodb", config=_CONFIG)
    events = client.meta.events
    json = speaks_json(client)
    for operation in RAW_OPERATIONS:
        events.register(f"before-parameter-build.dynamodb.{operation}", _take_raw_body if json else _parse_raw_body)
        if json:
            events.register(f"before-call.dynamodb.{operation}", _send_raw_body)
    events.register("before-parse.dynamodb", _check_whole)
    if json:
        events.register("before-parse.dynamodb", _keep_raw_body)
    return client


def _session(service: str, session: Session | None = None) -> boto3.Session:
    """A session whose clients of a service bridge faults. Source: boto3's "Extensibility guide"."""
    maker = boto3.Session(botocore_session=session) if session else _default_session()
    maker.events.register(f"creating-client-class.{service}", _put_bridge, unique_id="etl-bridge")
    return maker


@cache
def _default_session() -> boto3.Session:
    return boto3.Session()


def _put_bridge(class_attributes: dict[str, Any], **_: Any) -> None:
    BRIDGE.over_class(class_attributes, _WAITED_FOR)


def speaks_json(client: "DynamoDBClient") -> bool:
    """Whether the bodies of a client are JSON: the SDK may choose another protocol of the service's by itself."""
    model: Any = client.meta.service_model
    return bool(model.resolved_protocol == "json" and model.metadata.get("jsonVersion") == "1.0")


def _take_raw_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["raw_body"] = params.pop("RawBody", None)


def _send_raw_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if context["raw_body"] is not None:
        params["body"] = context["raw_body"]


def _keep_raw_body(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], operation_model: Any, **_: Any
) -> None:
    # An error is parsed as ever, and raised.
    if operation_model.name in RAW_OPERATIONS and response_dict["status_code"] < 300:
        customized_response_dict["RawBody"] = response_dict["body"]
        response_dict["body"] = b"{}"


def _parse_raw_body(params: dict[str, Any], **_: Any) -> None:
    """For a client that speaks another protocol: it builds the body itself, of the parameters."""
    if raw := params.pop("RawBody", None):
        params |= parsed(msgspec.json.decode(raw))


def parsed(document: Any) -> Any:
    """A document of DynamoDB JSON as botocore takes and gives it: binary values are bytes."""
    if isinstance(document, list):
        return [parsed(each) for each in document]
    if not isinstance(document, dict):
        return document
    match document:
        case {"B": str(text)} if len(document) == 1:
            return {"B": b64decode(text)}
        case {"BS": list(texts)} if len(document) == 1 and all(isinstance(text, str) for text in texts):
            return {"BS": [b64decode(text) for text in texts]}
    return {name: parsed(value) for name, value in document.items()}


def _check_whole(response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
    """Check an answer that isn't streamed: from 1.44 on botocore takes one that has broken off."""
    body, headers = response_dict["body"], response_dict["headers"]
    if not isinstance(body, bytes) or operation_model.http["method"] == "HEAD":
        return
    expected = headers.get("content-length")
    if expected is not None and "content-encoding" not in headers and int(expected) != len(body):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(expected))
    check_crc32(body, headers)


def check_crc32(body: bytes, headers: Mapping[str, str]) -> None:
    """Compare an answer with the checksum that DynamoDB sent along.

    Raises:
        ChecksumError: it was changed on the way.
    """
    expected = headers.get("x-amz-crc32")
    if expected is not None and int(expected) != crc32(body):
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=str(crc32(body)))


def is_transient(error: Exception) -> bool:
    """Whether an error of botocore, or one that was made of it, passes by itself."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        later = status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
        return later or error.response["Error"]["Code"] in TRANSIENT_CODES
    passing = (
        TransientError,
        UnreachableError,
        HTTPClientError,
        IncompleteReadError,
        ChecksumError,
        FlexibleChecksumError,
    )
    return isinstance(error, passing)


BRIDGE = Bridge(BRIDGED_SECONDS, is_transient)


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
    if code == _UPLOAD_GONE:
        return TransientError(f"an upload has ended, maybe by a request whose answer was lost: {_told(error)}")
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
