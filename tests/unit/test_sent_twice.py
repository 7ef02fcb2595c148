"""A request whose answer is lost is sent again by the bridge: what was done already must not be done otherwise."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from etl.aws.backoff import Bridge
from etl.aws.clients import explained, is_transient
from etl.extract import claim
from etl.ledger import Ledger
from etl.model.errors import TransientError
from etl.staging.bucket import Staging
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.faults import client_error
from tests.fakes.ledger import FakeLedgerTable
from tests.fakes.s3 import FakeS3
from tests.unit.builders import run

BRIDGE = Bridge(20, is_transient, sleep=lambda _: None)
STARTED = datetime(2024, 1, 16, 2, 0, 0, 123_000, tzinfo=UTC)
LOST = client_error("InternalError", 500)


class Losing:
    """A client with its bridge, of which the first answer of each kind of request is lost.

    Attributes:
        lost: the names of these.
    """

    def __init__(self, client: Any, but: str = "") -> None:
        self._client = client
        self._but = but
        self.lost: list[str] = []

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._client, name)

        def lose(**given: Any) -> Any:
            answer = method(**given)
            if name not in (*self.lost, self._but):
                self.lost.append(name)
                raise LOST
            return answer

        return BRIDGE.over(lose)


def test_a_claim_that_finds_its_own_manifest_is_that_run() -> None:
    s3 = FakeS3()
    losing = Losing(s3)
    claimed = claim(run(id=""), STARTED, Staging(cast("Any", losing), s3.bucket))

    assert claimed.id == "20240116T020000123Z"
    assert losing.lost == ["put_object", "get_object"]
    assert len(s3.objects) == 1


def test_the_ledger_is_the_same() -> None:
    table, other = FakeLedgerTable(), FakeLedgerTable()
    losing = Losing(table)
    for each in (Ledger(cast("Any", losing), "ledger"), Ledger(cast("Any", other), "ledger")):
        each.begin(run(), datetime(2024, 1, 15, tzinfo=UTC), "schedule")
        each.succeed(run(), {"read": 1}, "2024-01-16T02:10:00.000Z")
        assert each.watermark() == datetime(2024, 1, 16, tzinfo=UTC)
        assert each.ending(run()) is not None

    assert losing.lost == ["put_item", "transact_write_items", "update_item", "get_item"]
    assert table.entry("execution") == other.entry("execution")


@pytest.mark.parametrize("megabytes", [1, 12])
def test_a_staged_object_is_the_same(megabytes: int) -> None:
    s3, other = FakeS3(), FakeS3()
    losing = Losing(s3, but="complete_multipart_upload")
    for client in (losing, other):
        writer = Staging(cast("Any", client), s3.bucket).open("extract/x")
        for _ in range(megabytes):
            writer.write([b'"%s"' % (b"x" * 1024 * 1024)])
        writer.close()

    assert s3.objects == other.objects
    assert losing.lost == (
        ["put_object"] if megabytes == 1 else ["create_multipart_upload", "upload_part", "put_object"]
    )


def test_an_upload_that_s3_has_completed_and_forgotten_is_retried_by_the_workflow() -> None:
    """S3 may answer the second request for it with NoSuchUpload; the stage then writes the object anew."""
    s3 = FakeS3()
    writer = Staging(cast("Any", Losing(s3)), s3.bucket).open("extract/x")
    for _ in range(6):
        writer.write([b'"%s"' % (b"x" * 1024 * 1024)])
    with pytest.raises(Exception, match="NoSuchUpload") as error:
        writer.close()

    assert type(explained(cast("Any", error.value))) is TransientError


def test_reads_of_the_source_are_reads() -> None:
    dynamodb = FakeDynamoDB()
    losing = Losing(dynamodb)
    losing.describe_table(TableName="source")

    assert dynamodb.faults.calls == ["DescribeTable", "DescribeTable"]
