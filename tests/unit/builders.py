"""Short ways to make what the stages work on."""

import json
from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypedDict, cast

import msgspec

from etl.gate import Allowed
from etl.invocation.deadline import Deadline
from etl.ledger import Ledger
from etl.model.limits import READ_BYTES
from etl.model.run import Run, Work
from etl.model.schema import SPECIFIED
from etl.staging.batches import BATCH_BYTES
from etl.staging.bucket import Staging
from etl.staging.keys import seal_key
from etl.staging.seal import Seal
from etl.tables.ceiling import Pacer
from etl.tables.change_time import bounds, rule_of
from etl.tables.destination import DestinationTable
from etl.tables.source import SourceTable
from etl.user.transformation import Transformation
from etl.user.transformer import InProcessTransformer
from tests.fakes.channel import FakeChannel
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.fakes.s3 import FakeS3, etag

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

START, END = "2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z"
TIME = "2024-01-16T02:00:00.123Z"
PICKED = rule_of(SPECIFIED.time).filter(bounds(START, END, TIME))
ANY_SHARE = Allowed(Decimal(100), Decimal(100))


def run(*, segments: int = 1, id: str = "20240116T020000123Z") -> Run:  # noqa: A002 - as the run has it
    """The run of the day 2024-01-15."""
    return Run(id=id, start=START, end=END, time=TIME, execution="arn:execution", segments=segments)


def work(*, segment: int = 0, cursor: dict[str, Any] | None = None, **counts: int) -> Work:
    """A segment's work with these counts."""
    made = Work(segment=segment, cursor=cursor)
    for name, count in counts.items():
        made.count(name, count)
    return made


def item(number: int, *, timestamp: str = "2024-01-15T10:00:00Z", value: str = "100", **more: dict[str, Any]) -> Item:
    """An item of the source table in DynamoDB JSON that the shipped contract accepts."""
    return {
        "id": {"S": f"item-{number:04d}"},
        "name": {"S": f"Item {number}"},
        "value": {"N": value},
        "timestamp": {"S": timestamp},
        **more,
    }


def staging(s3: FakeS3, *, read_bytes: int = READ_BYTES, batch_bytes: int = BATCH_BYTES) -> Staging:
    """The staging bucket that ``s3`` holds."""
    return Staging(cast("S3Client", s3), s3.bucket, read_bytes, batch_bytes)


def source(dynamodb: FakeDynamoDB) -> SourceTable:
    """The source table that ``dynamodb`` holds."""
    return SourceTable(cast("DynamoDBClient", dynamodb), "source")


def ledger(dynamodb: FakeDynamoDB) -> Ledger:
    """The run ledger that ``dynamodb`` holds."""
    return Ledger(cast("DynamoDBClient", dynamodb), "ledger")


async def no_waiting(_: float) -> None:
    """Stands in for a sleep."""


def destination(dynamodb: FakeDynamoDB, deadline: Deadline | None = None) -> DestinationTable:
    """The destination table that ``dynamodb`` holds, without a ceiling and without real waiting."""
    remaining_ms = (deadline or unlimited()).remaining_ms
    return DestinationTable(FakeChannel(dynamodb), "destination", Pacer(None), remaining_ms, no_waiting)


def unlimited() -> Deadline:
    """A deadline that is never near."""
    return Deadline(lambda: 300_000)


class Units(Deadline):
    """A deadline that allows a number of units of work."""

    def __init__(self, units: int) -> None:
        super().__init__(lambda: 300_000)
        self._units = units

    def allows_another(self) -> bool:
        self._units -= 1
        return self._units > 0


def transformer(user: Transformation, given: Run | None = None, *, seconds: int = 10) -> InProcessTransformer:
    """A way through a transformation, in this process."""
    return InProcessTransformer(user, given or run(), seconds)


class MinimalContract(TypedDict):
    """What the destination's key needs, and nothing else."""

    id: str
    timestamp: str


def user_code(transform: Any, *, contract: type = MinimalContract, aggregates: Sequence[Any] = ()) -> Transformation:
    """A transformation as a module would define it."""
    return Transformation(SimpleNamespace(Contract=contract, transform=transform, AGGREGATES=aggregates))


def hold(s3: FakeS3, key: str, body: bytes) -> None:
    """Let there be a sealed object, as if a stage had written it."""
    s3.objects[key] = body
    lines = body.count(b"\n") - 2
    s3.objects[seal_key(key)] = msgspec.json.encode(Seal(etag(body), max(0, lines)))


def staged(s3: FakeS3, prefix: str) -> list[Any]:
    """All records of the staged objects under ``prefix``, in the order of their keys."""
    return [record for key in keys(s3, prefix) for record in json.loads(s3.objects[key], parse_float=str)]


def keys(s3: FakeS3, prefix: str) -> list[str]:
    """The keys under ``prefix`` that hold staged arrays, in the order of segments and parts."""
    found = [key for key in s3.objects if key.startswith(prefix) and not key.endswith("/run.json")]
    return sorted(found, key=lambda key: (not key.endswith("/data.json"), key))


def array(records: Sequence[Any]) -> bytes:
    """A staged object with these records."""
    lines = ",\n".join(json.dumps(record) for record in records)
    return f"[\n{lines}\n]\n".encode() if records else b"[\n]\n"
