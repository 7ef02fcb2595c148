"""Clients of AWS, and the meaning of their errors for a run."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
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

from etl.aws.backoff import THROTTLING_CODES, Bridge
from etl.aws.raw_bodies import RAW_OPERATIONS, check_whole, take_raw_bodies
from etl.model.errors import ConfigurationError, EtlError, Reason, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_T = TypeVar("_T")
_CONNECTIONS = 16
# One attempt: this module decides how long a fault is bridged, not the version of the SDK that Lambda has.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=_CONNECTIONS,
    parameter_validation=False,  # a raw body replaces the required parameters
)

# The time for which a client bridges a fault: a small part of an invocation.
BRIDGED_SECONDS = 20
# Methods whose callers wait themselves, within the remaining time: tables/scan.py and tables/destination.py.
_WAITED_FOR = frozenset(("scan", "batch_write_item"))

# Codes with which AWS postpones a request. Source: botocore's standard retry mode, and the services' API references.
TRANSIENT_CODES = THROTTLING_CODES | frozenset(
    (
        "InternalError",
        "InternalServerError",
        "ConditionalRequestConflict",
        "LimitExceededException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "TransactionConflictException",
        "TransactionInProgressException",
    )
)
_TOO_MANY_REQUESTS = 429
_CLIENT_ERROR, _SERVER_ERROR = 400, 500

# The code for an upload that was completed or aborted. Source: S3 API Reference, "CompleteMultipartUpload".
_UPLOAD_GONE = "NoSuchUpload"
_RESTORE = "deploy the stack; resources deleted by hand come back when you destroy the stack and deploy it again"
_DENIED = "the function's role doesn't allow it: deploy the stack again, and look for a policy that denies it"
# The same, for tables that you named in the settings.
_YOURS = "source_table and destination_table name the tables, with account and region where they are ARNs"
_TABLE_NOT_FOUND = (f"a table isn't there: {_YOURS}", Reason.TABLE_NOT_FOUND)
_TABLE_DENIED = (
    "whoever owns the table must allow it: the function's own role has it from the stack, so look for a policy that "
    "denies it; a role that the function assumes has its own policy; a table in another account needs such a role "
    "(source_role_arn, destination_role_arn)",
    Reason.TABLE_DENIED,
)
# DynamoDB decrypts a table's key in the caller's name, for reads and for writes. Source: DynamoDB Developer Guide,
# "DynamoDB encryption at rest usage notes". Its words are "KMS key access denied error":
# github.com/aws/aws-cdk/issues/10010.
_KEY_DENIED = (
    "the table is encrypted with a key that may not be used: set source_kms_key_arn or destination_kms_key_arn to the "
    "table's key, and let the key's policy allow kms:Decrypt to the function's role, or to the role that it assumes",
    Reason.KEY_DENIED,
)
# STS refuses a role that isn't there with the same words.
_ROLE_DENIED = (
    "the role can't be assumed: it must exist, and its trust policy must allow sts:AssumeRole to the function's role, "
    "with the external id if there is one (source_role_arn, destination_role_arn)",
    Reason.ROLE_DENIED,
)
_DENIALS = frozenset(("AccessDenied", "AccessDeniedException"))
_TABLE_OPERATIONS = frozenset(("DescribeTable", "Scan", "BatchGetItem", "BatchWriteItem"))
_REMEDIES = {
    "ResourceNotFoundException": (f"the table isn't there: {_RESTORE}", Reason.NOT_FOUND),
    "NoSuchBucket": (f"the staging bucket isn't there: {_RESTORE}", Reason.NOT_FOUND),
    "AccessDenied": (_DENIED, Reason.ACCESS_DENIED),
    "AccessDeniedException": (_DENIED, Reason.ACCESS_DENIED),
}


def s3_client() -> "S3Client":
    """A client of S3, which bridges faults for ``BRIDGED_SECONDS``.

    TLS and a CRC32 protect the bodies, as by botocore's default. A caller that passes the CRC32 of a large body saves
    botocore the wrapping of the body into chunks, and a SHA-256.
    """
    unsigned = Config(s3={"payload_signing_enabled": False})
    client = _session("s3").client("s3", config=_CONFIG.merge(unsigned))
    client.meta.events.register("before-parse.s3", check_whole)
    return client


def dynamodb_client(session: Session | None = None, region: str | None = None) -> "DynamoDBClient":
    """A client of DynamoDB that can also take and return bytes: see ``etl.aws.raw_bodies``.

    It bridges faults for ``BRIDGED_SECONDS``. Scan and BatchWriteItem make one attempt: their callers know the
    remaining time, and wait themselves.

    Args:
        session: the source of its credentials; boto3's default session if None.
        region: the region of the tables; the session's if None.
    """
    client = _session("dynamodb", session).client("dynamodb", region_name=region, config=_CONFIG)
    take_raw_bodies(client)
    return client


def sts_creator(session: Session) -> Callable[..., Any]:
    """Makes clients of STS with given credentials, which bridge faults for ``BRIDGED_SECONDS``.

    They ask the STS of their own region, which answers even when another region fails. Older versions of botocore ask
    the global one. Source: AWS SDKs and Tools Reference Guide, "AWS STS Regional endpoints".
    """
    session.set_config_variable("sts_regional_endpoints", "regional")
    return partial(_session("sts", session).client, config=_CONFIG)


def _session(service: str, session: Session | None = None) -> boto3.Session:
    """A session whose clients of a service bridge faults. Source: boto3's "Extensibility guide"."""
    maker = boto3.Session(botocore_session=session) if session else _default_session()
    # The session ignores an event whose id it knows already.
    maker.events.register(f"creating-client-class.{service}", _put_bridge, unique_id=f"etl-bridge-{service}")
    return maker


@cache
def _default_session() -> boto3.Session:
    return boto3.Session()


def _put_bridge(class_attributes: dict[str, Any], **_: Any) -> None:
    BRIDGE.over_class(class_attributes, _WAITED_FOR)


def is_transient(error: Exception) -> bool:
    """Whether an error of botocore, or an error made of one, passes by itself."""
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


def is_refused(error: Exception) -> bool:
    """Whether certainly nothing was done, and no unit consumed. After another error, DynamoDB may have answered."""
    status = (
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(error, ClientError) else 0
    )
    return _CLIENT_ERROR <= status < _SERVER_ERROR


def is_upload_gone(error: Exception) -> bool:
    """Whether an upload has ended already, perhaps by a request whose answer was lost. Its object is written again."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == _UPLOAD_GONE


BRIDGE = Bridge(BRIDGED_SECONDS, is_transient)


class AsFarAsPossible(Iterator[_T]):
    """Reads until a transient failure. The invocation ends there, and keeps its work so far.

    If nothing at all can be read, the failure is raised.

    Attributes:
        cut: whether reading has failed.
    """

    def __init__(self, read: Iterable[_T]) -> None:
        self.cut = False
        self._read = iter(read)
        self._any = False

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> _T:
        """Read the next one."""
        try:
            found = next(self._read)
        except (ClientError, BotoCoreError, TransientError) as error:
            if not self._any or not is_transient(error):
                raise
            self.cut = True
            raise StopIteration from None
        self._any = True
        return found


def explained(error: ClientError | BotoCoreError, resources: Sequence[str] = (), *, existing: bool = False) -> EtlError:
    """An error of AWS as the pipeline's own, with its remedy.

    Args:
        error: the error of botocore.
        resources: names of the table and the bucket that the function uses. AWS's message often lacks them.
        existing: whether the settings name a table that the stack didn't make.
    """
    if is_transient(error):
        return TransientError(
            f"AWS was unreachable or throttled requests for longer than one invocation waits: {_shown(error)}"
        )
    if is_upload_gone(error):
        return TransientError(
            f"an upload has already ended, perhaps by a request whose answer was lost: {_shown(error)}"
        )
    remedy, reason = _remedy(error, existing=existing)
    used = f" (this function uses {' and '.join(resources)})" if resources else ""
    return ConfigurationError(f"{_shown(error)}: {remedy}{used}", reason)


def _remedy(error: ClientError | BotoCoreError, *, existing: bool) -> tuple[str, Reason]:
    """The remedy for an error that doesn't pass by itself, and its reason."""
    code, operation, message = type(error).__name__, "", ""
    if isinstance(error, ClientError):
        code, operation = error.response["Error"]["Code"], error.operation_name
        message = error.response["Error"].get("Message", "")
    if code in _DENIALS and operation == "AssumeRole":
        return _ROLE_DENIED
    if existing and operation in _TABLE_OPERATIONS:
        if code in _DENIALS:
            return _KEY_DENIED if "kms" in message.lower() else _TABLE_DENIED
        if code == "ResourceNotFoundException":
            return _TABLE_NOT_FOUND
    return _REMEDIES.get(code, ("this will probably not pass by itself", Reason.REFUSED))


def _shown(error: ClientError | BotoCoreError) -> str:
    """AWS's message, unless it may quote the items of the request."""
    if not isinstance(error, ClientError) or error.operation_name not in RAW_OPERATIONS:
        return str(error)
    code = error.response["Error"]["Code"]
    if code in TRANSIENT_CODES or code in _REMEDIES:
        return str(error)
    return f"{error.operation_name} was refused with {code} (the message isn't shown, since it may quote an item)"
