"""Many workers on few partitions of the source table, in virtual time: what is read twice, and how long it takes."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from etl.extract import extract_segment
from etl.invocation.deadline import Deadline
from etl.model.errors import TransientError
from etl.model.run import Work
from etl.tables.source import Page, SourceTable
from tests.fakes.faults import client_error
from tests.fakes.s3 import FakeS3
from tests.unit.builders import PICKED, run, staging
from tests.unit.virtual_threads import VirtualThreads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INVOCATION = 300.0
# Sources: DynamoDB Developer Guide, "Read and write operations" (half a unit for 4 KB, eventually consistent),
# "Scanning tables" (1 MB a page), "Designing partition keys" (3,000 units a second and partition).
PAGE_UNITS, PAGES_A_GB, PARTITION_UNITS = 128, 1024, 3000.0
# Source: the same guide, "Burst and adaptive capacity": what was left unused in 300 seconds.
BURST_SECONDS = 300
READ_SECONDS, REFUSED_SECONDS, WORK_SECONDS = 0.1, 0.01, 0.05
STATE_ATTEMPTS = 6


@dataclass
class Partition:
    """A partition's units: ``most`` a second whatever has been saved, ``rate`` a second are saved up.

    Attributes:
        rate: units that come a second.
        saved: units that are there; they become negative, since a page's are known when it is read.
        second: units that may be consumed at this moment, by the limit of every partition.
    """

    rate: float
    burst: float
    saved: float
    second: float = PARTITION_UNITS
    seen: float = 0.0

    def takes(self, now: float, units: float) -> bool:
        passed, self.seen = now - self.seen, now
        self.saved = min(self.burst, self.saved + passed * self.rate)
        self.second = min(PARTITION_UNITS, self.second + passed * PARTITION_UNITS)
        if min(self.saved, self.second) <= 0:
            return False
        self.saved -= units
        self.second -= units
        return True


@dataclass
class Table:
    """The source table: segments lie on its partitions in their order.

    Attributes:
        threads: whose time passes.
        segments: number of segments.
        pages: pages of a segment.
        partitions: their number is that of the partitions that the workers read at once.
        units: that were consumed.
        refused: requests that were.
    """

    threads: VirtualThreads
    segments: int
    pages: int
    partitions: list[Partition]
    units: float = 0.0
    refused: int = 0
    ends: dict[int, float] = field(default_factory=dict)

    def scan(self, **request: Any) -> dict[str, Any]:
        segment, page = request["Segment"], int(request.get("ExclusiveStartKey", {"n": {"N": "0"}})["n"]["N"])
        partition = self.partitions[segment * len(self.partitions) // self.segments]
        self.threads.sleep(REFUSED_SECONDS)
        if not partition.takes(self.threads.now, PAGE_UNITS):
            self.refused += 1
            raise client_error("ProvisionedThroughputExceededException", operation="Scan")
        self.units += PAGE_UNITS
        self.threads.sleep(READ_SECONDS - REFUSED_SECONDS)
        answer = {"Items": [], "Count": 0, "ScannedCount": 1, "ConsumedCapacity": {"CapacityUnits": PAGE_UNITS}}
        if page + 1 < self.pages:
            answer["LastEvaluatedKey"] = {"n": {"N": str(page + 1)}}
        return {"RawBody": json.dumps(answer).encode()}

    def work_on(self, page: Page) -> Page:
        self.threads.sleep(WORK_SECONDS)
        return page


def worker(table: Table, segment: int) -> Work:
    """A segment's invocations, as the state machine makes them: it waits after a failure, and gives up in the end."""
    threads, given, failures = table.threads, Work(segment=segment), 0
    source = SourceTable(cast("DynamoDBClient", table), "source", threads.passing())
    while True:
        ends = threads.now + INVOCATION
        deadline = Deadline(lambda ends=ends: int((ends - threads.now) * 1000), lambda: threads.now)  # type: ignore[misc]
        pages = source.pages(PICKED, segment, table.segments, given.cursor, deadline)
        at_work = map(table.work_on, pages)
        try:
            given = extract_segment(
                run(segments=table.segments),
                Work(segment=segment, cursor=given.cursor, counts=list(given.counts)),
                at_work,
                staging(FakeS3()),
                10**9,
            )
        except (ClientError, TransientError):
            failures += 1
            if failures == STATE_ATTEMPTS:
                raise
            threads.sleep(2**failures)
            continue
        failures = 0
        if given.done:
            table.ends[segment] = threads.now
            return given


def read(gigabytes: int, segments: int, partitions: int, rate: float, burst_seconds: float) -> tuple[Table, list[Work]]:
    """Read a table whole."""
    threads = VirtualThreads()
    burst = rate * burst_seconds
    table = Table(
        threads,
        segments,
        gigabytes * PAGES_A_GB // segments,
        [Partition(rate, burst, burst) for _ in range(partitions)],
    )
    return table, threads.run([lambda segment=segment: worker(table, segment) for segment in range(segments)])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("gigabytes", "segments", "partitions", "rate", "burst_seconds"),
    [
        pytest.param(10, 40, 4, PARTITION_UNITS, 1, id="four partitions"),
        pytest.param(10, 40, 1, PARTITION_UNITS, 1, id="one partition"),
        pytest.param(10, 100, 10, PARTITION_UNITS, 1, id="a hundred workers"),
        pytest.param(10, 100, 1, PARTITION_UNITS, 1, id="a hundred workers on one partition"),
        pytest.param(10, 40, 4, 250, BURST_SECONDS, id="little throughput, and what was saved of it"),
    ],
)
def test_no_page_is_paid_twice_and_all_are_read(
    gigabytes: int, segments: int, partitions: int, rate: float, burst_seconds: float
) -> None:
    table, results = read(gigabytes, segments, partitions, rate, burst_seconds)

    needed = table.pages * segments * PAGE_UNITS
    assert sum(result.counted("scanned") for result in results) == table.pages * segments
    assert needed <= table.units <= 1.01 * needed
    assert sum(result.counted("read_units") for result in results) == needed


def test_workers_of_one_partition_share_it_evenly_and_use_it() -> None:
    table, _ = read(10, 40, 1, PARTITION_UNITS, 1)

    needed = table.pages * 40 * PAGE_UNITS / PARTITION_UNITS
    assert max(table.ends.values()) <= 1.15 * needed
    assert min(table.ends.values()) >= 0.5 * needed


def test_a_table_that_refuses_nothing_is_read_without_a_pause() -> None:
    table, _ = read(1, 4, 4, PARTITION_UNITS, 1)

    assert table.refused == 0
    assert max(table.ends.values()) == pytest.approx(table.pages * (READ_SECONDS + WORK_SECONDS))
