"""Clients of AWS, and what their errors mean to a run."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

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

from etl.aws.backoff import Bridge
from etl.aws.raw_bodies import RAW_OPERATIONS, check_whole, take_raw_bodies
from etl.model.errors import ConfigurationError, EtlError, Reason, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")
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
_REMEDIES = {
    "ResourceNotFoundException": (f"the table isn't there: {_RESTORE}", Reason.NOT_FOUND),
    "NoSuchBucket": (f"the staging bucket isn't there: {_RESTORE}", Reason.NOT_FOUND),
    "AccessDenied": (_DENIED, Reason.ACCESS_DENIED),
    "AccessDeniedException": (_DENIED, Reason.ACCESS_DENIED),
}


def s3_client() -> "S3Client":
    """A client of S3, which bridges faults of ``BRIDGED_SECONDS``.

    Bodies are signed by TLS and a CRC32 of theirs, as with botocore's default; a caller that gives the CRC32 of a
    large body itself spares it the wrapping of the body into chunks, and a SHA-256.
    """
    unsigned = Config(s3={"payload_signing_enabled": False})
    client = _session("s3").client("s3", config=_CONFIG.merge(unsigned))
    client.meta.events.register("before-parse.s3", check_whole)
    return client


def dynamodb_client(session: Session | None = None) -> "DynamoDBClient":
    """A client of DynamoDB that takes and gives bytes, beside the usual way: see ``etl.aws.raw_bodies``.

    It bridges faults of ``BRIDGED_SECONDS``. Scan and BatchWriteItem make one attempt: their callers know how much
    time is left, and wait themselves.

    Args:
        session: where its credentials come from; boto3's default session when None.
    """
    client = _session("dynamodb", session).client("dynamodb", config=_CONFIG)
    take_raw_bodies(client)
    return client


def _session(service: str, session: Session | None = None) -> boto3.Session:
    """A session whose clients of a service bridge faults. Source: boto3's "Extensibility guide"."""
    maker = boto3.Session(botocore_session=session) if session else _default_session()
    # An event whose id is known already isn't registered, whatever the event is.
    maker.events.register(f"creating-client-class.{service}", _put_bridge, unique_id=f"etl-bridge-{service}")
    return maker


@cache
def _default_session() -> boto3.Session:
    return boto3.Session()


def _put_bridge(class_attributes: dict[str, Any], **_: Any) -> None:
    BRIDGE.over_class(class_attributes, _WAITED_FOR)


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


def is_upload_gone(error: Exception) -> bool:
    """Whether an upload has ended already, maybe by a request whose answer was lost: its object is written anew."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == _UPLOAD_GONE


BRIDGE = Bridge(BRIDGED_SECONDS, is_transient)


class AsFarAsPossible(Iterator[_T]):
    """Reads until reading fails in passing: an invocation ends there, and keeps what it has done.

    It fails if nothing at all can be read.

    Attributes:
        cut: whether reading has failed.
    """

    def __init__(self, read: Iterable[_T]) -> None:
        self.cut = False
        self._read = iter(read)
        self._any = False

    def __iter__(self) -> Self:
        """An iterator is its own."""
        return self

    def __next__(self) -> _T:
        """The next of what is read."""
        try:
            found = next(self._read)
        except (ClientError, BotoCoreError, TransientError) as error:
            if not self._any or not is_transient(error):
                raise
            self.cut = True
            raise StopIteration from None
        self._any = True
        return found


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
    if is_upload_gone(error):
        return TransientError(f"an upload has ended, maybe by a request whose answer was lost: {_told(error)}")
    remedy, reason = _REMEDIES.get(code, ("this is not expected to pass by itself", Reason.REFUSED))
    used = f" (this function uses {' and '.join(resources)})" if resources else ""
    return ConfigurationError(f"{_told(error)}: {remedy}{used}", reason)


def _told(error: ClientError | BotoCoreError) -> str:
    """What AWS says, unless it may quote the items that the request brought."""
    if not isinstance(error, ClientError) or error.operation_name not in RAW_OPERATIONS:
        return str(error)
    code = error.response["Error"]["Code"]
    if code in TRANSIENT_CODES or code in _REMEDIES:
        return str(error)
    return f"{error.operation_name} was refused with {code} (its message isn't told, since it may quote an item)"
