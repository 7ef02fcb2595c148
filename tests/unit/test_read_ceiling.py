"""The ceiling on read units over workers, invocations and minutes: the source table in virtual time."""

import json
import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from etl.invocation.deadline import Deadline
from etl.model.errors import TransientError
from etl.model.schema import SPECIFIED
from etl.tables.read_pace import LEAST_SHARE, read_pacer, readers
from etl.tables.source import SourceTable
from tests.consumption import Consumed, most_within, units_between
from tests.fakes.faults import client_error
from tests.unit.builders import PICKED
from tests.unit.virtual_threads import VirtualThreads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MINUTE, INVOCATION = 60.0, 300.0
KB, MB = 1024, 1024**2
READ_SECONDS, WORK_SECONDS = 0.1, 0.05

# Sizes of a table's items, which repeat.
SMALL, MIDDLE, LARGE = [100], [4 * KB], [400 * KB]
FEW_LARGE = [100] * 299 + [400 * KB]
LARGE_LATER = [100] * 200_000 + [400 * KB] * 400
MIXED = random.Random(1).choices([100, 900, 4 * KB, 30 * KB, 400 * KB], k=5000)


@dataclass
class Table:
    """The source table: each segment has the same items, without an end. It notes when it consumed how much.

    Attributes:
        threads: whose time passes.
        sizes: of its items, which repeat.
        seconds: until an answer.
        fate: raises the error of a request that shall fail; it is asked before and after the read.
        work: returns the time that the worker takes for a page.
        consumed: the units of each request.
        limits: of each request.
    """

    threads: VirtualThreads
    sizes: Sequence[int]
    seconds: float = READ_SECONDS
    fate: Callable[[str], None] = lambda _: None
    work: Callable[[], float] = lambda: WORK_SECONDS
    consumed: list[Consumed] = field(default_factory=list)
    limits: list[int | None] = field(default_factory=list)

    def scan(self, **request: Any) -> dict[str, Any]:
        """A page: up to its limit, and up to the item with which it has 1 MB."""
        first = int(request.get("ExclusiveStartKey", {"n": {"N": "0"}})["n"]["N"])
        limit = request.get("Limit")
        self.limits.append(limit)
        end = self._end_of_page(first)
        end = min(end, first + limit) if limit else end
        size = self._size(end) - self._size(first)
        units = max(1, -(-size // 4096)) / 2
        self.threads.sleep(self.seconds / 2)
        self.fate("before")
        self.consumed.append(Consumed(self.threads.now, units))
        self.fate("after")
        self.threads.sleep(self.seconds / 2)
        key = {"n": {"N": str(end)}}
        answer: dict[str, Any] = {"Items": [], "Count": 0, "ScannedCount": end - first, "LastEvaluatedKey": key}
        return {"RawBody": json.dumps(answer | {"ConsumedCapacity": {"CapacityUnits": units}}).encode()}

    @cached_property
    def _sums(self) -> list[int]:
        return [0, *accumulate(self.sizes)]

    def _size(self, items: int) -> int:
        """Bytes of the first items."""
        rounds, rest = divmod(items, len(self.sizes))
        return rounds * self._sums[-1] + self._sums[rest]

    def _end_of_page(self, first: int) -> int:
        """The end of a page without a limit: after the item with which it has 1 MB."""
        rounds, rest = divmod(self._size(first) + MB, self._sums[-1])
        return rounds * len(self.sizes) + bisect_right(self._sums, rest)


def invocation(table: Table, ceiling: int, workers: int, segment: int, cursor: Any) -> Any:
    """One invocation of Extract; gives its cursor."""
    threads = table.threads
    ends = threads.now + INVOCATION
    deadline = Deadline(lambda: int((ends - threads.now) * 1000), lambda: threads.now)
    pacer = read_pacer(ceiling, workers, lambda: threads.now)
    source = SourceTable(cast("DynamoDBClient", table), "source", threads.passing())
    for page in source.pages(PICKED, segment, workers, cursor, deadline, pacer):
        threads.sleep(table.work())
        cursor = page.cursor
    assert threads.now < ends
    return cursor


def worker(table: Table, ceiling: int, workers: int, segment: int, seconds: float) -> int:
    """A worker's invocations, one after the other, and how many failed."""
    cursor, failed = None, 0
    while table.threads.now < seconds:
        try:
            cursor = invocation(table, ceiling, workers, segment, cursor)
        except (ClientError, TransientError):
            failed += 1
    return failed


def read(table: Table, ceiling: int, workers: int, seconds: float = 3 * MINUTE) -> Table:
    """Let workers that share a ceiling read for so long at least."""
    table.threads.run([lambda n=n: worker(table, ceiling, workers, n, seconds) for n in range(workers)])  # type: ignore[misc]
    return table


def most_in_a_minute(table: Table, ceiling: int) -> float:
    """Units of the fullest minute, as a share of the ceiling."""
    return most_within(table.consumed, MINUTE) / (MINUTE * ceiling)


SIZES = pytest.mark.parametrize(
    "sizes",
    [
        pytest.param(SMALL, id="100 B"),
        pytest.param(MIDDLE, id="4 KB"),
        pytest.param(LARGE, id="400 KB"),
        pytest.param(FEW_LARGE, id="few large"),
        pytest.param(LARGE_LATER, id="large later"),
        pytest.param(MIXED, id="mixed"),
    ],
)


@SIZES
@pytest.mark.parametrize(("ceiling", "workers"), [(50, 1), (600, 1), (4 * LEAST_SHARE, 4), (40 * 50, 40)])
def test_it_holds_within_a_tenth_over_any_minute_and_is_used(sizes: list[int], ceiling: int, workers: int) -> None:
    seconds = 2 * MINUTE if workers == 40 else INVOCATION + MINUTE
    table = read(Table(VirtualThreads(), sizes), ceiling, workers, seconds)

    assert most_in_a_minute(table, ceiling) <= 1.1
    assert units_between(table.consumed, 10, seconds) >= 0.9 * (seconds - 10) * ceiling


@SIZES
def test_without_a_ceiling_pages_are_whole(sizes: list[int]) -> None:
    table = read(Table(VirtualThreads(), sizes), 0, 1, 1)

    assert set(table.limits) == {None}
    assert table.consumed[0].at < READ_SECONDS


def test_a_page_takes_about_a_second_of_the_share() -> None:
    table = read(Table(VirtualThreads(), [900]), 50, 1, MINUTE)

    assert table.limits[0] == 1
    assert all(0.9 * 50 <= each.units <= 50.5 for each in table.consumed[10:])


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("seconds", [1, 8])
def test_slow_answers_do_not_move_it(workers: int, seconds: float) -> None:
    table = read(Table(VirtualThreads(), MIXED, seconds), 40 * workers, workers)

    assert most_in_a_minute(table, 40 * workers) <= 1.1


@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("before", client_error("ProvisionedThroughputExceededException", operation="Scan")),
        ("after", client_error("InternalServerError", 500, operation="Scan")),
        ("after", ReadTimeoutError(endpoint_url="x")),
    ],
    ids=["throttled", "read, then an error", "read, and no answer"],
)
def test_requests_that_fail_do_not_move_it(when: str, error: Exception) -> None:
    chance = random.Random(1)

    def fail_for_a_third(now: str) -> None:
        if now == when and chance.random() < 1 / 3:
            raise error

    table = read(Table(VirtualThreads(), [900], fate=fail_for_a_third), 50, 1)

    assert most_in_a_minute(table, 50) <= 1.1


def test_a_refused_request_takes_nothing_of_it() -> None:
    table = Table(VirtualThreads(), SMALL)

    def refuse_one(_: str) -> None:
        if len(table.limits) == 20:
            raise client_error("ProvisionedThroughputExceededException", operation="Scan")

    table.fate = refuse_one
    read(table, LEAST_SHARE, 1, 30)

    times = [each.at for each in table.consumed[10:]]
    assert len(table.limits) > 22
    assert max(later - time for time, later in pairwise(times)) < 1.5


@pytest.mark.parametrize(
    "error", [client_error("InternalServerError", 500, operation="Scan"), ReadTimeoutError(endpoint_url="x")]
)
def test_a_request_without_an_answer_takes_its_estimate(error: Exception) -> None:
    table = Table(VirtualThreads(), SMALL)

    def lose_one(when: str) -> None:
        if when == "after" and len(table.limits) == 20:
            raise error

    table.fate = lose_one
    read(table, LEAST_SHARE, 1, 30)

    times = [each.at for each in table.consumed[10:]]
    assert min(later - time for time, later in pairwise(times)) > 0.8


def test_idle_time_is_not_made_up_for_later() -> None:
    table = Table(VirtualThreads(), SMALL)
    table.work = lambda: 40.0 if 60 <= table.threads.now < 100 else WORK_SECONDS
    read(table, 200, 1)

    assert units_between(table.consumed, 70, 100) < 2 * 200
    assert most_in_a_minute(table, 200) <= 1.1


@pytest.mark.parametrize("sizes", [LARGE, LARGE_LATER, MIXED], ids=["400 KB", "large later", "mixed"])
def test_invocations_that_fail_at_once_do_not_move_it(sizes: list[int]) -> None:
    table = Table(VirtualThreads(), sizes)

    def crash_now_and_then(when: str) -> None:
        if when == "after" and len(table.consumed) % 7 == 0:
            raise client_error("AccessDeniedException", operation="Scan")

    table.fate = crash_now_and_then
    read(table, LEAST_SHARE, 1)

    assert most_in_a_minute(table, LEAST_SHARE) <= 1.1


@pytest.mark.parametrize("sizes", [SMALL, LARGE], ids=["100 B", "400 KB"])
def test_each_invocation_makes_progress_below_an_item_a_minute(sizes: list[int]) -> None:
    table = Table(VirtualThreads(), sizes)

    def twice() -> tuple[Any, Any]:
        first = invocation(table, 1, 10, 0, None)
        return first, invocation(table, 1, 10, 0, first)

    ((first, second),) = table.threads.run([twice])

    assert int(second["key"]["n"]["N"]) > int(first["key"]["n"]["N"]) > 0
    assert set(table.limits) == {1}


@pytest.mark.parametrize(
    ("ceiling", "most", "workers"),
    [(0, 40, 40), (1, 40, 1), (LEAST_SHARE, 40, 1), (2 * LEAST_SHARE, 40, 2), (10**6, 40, 40), (10**6, 1, 1)],
)
def test_no_more_workers_share_it_than_may_read_the_largest_page(ceiling: int, most: int, workers: int) -> None:
    assert readers(ceiling, most) == workers


@dataclass
class Keyed:
    """The source table, asked for single items of one size: a unit for 4 KB."""

    threads: VirtualThreads
    size: int
    consumed: list[Consumed] = field(default_factory=list)

    def batch_get_item(self, *, RequestItems: Any, ReturnConsumedCapacity: str) -> dict[str, Any]:  # noqa: ARG002, N803 - boto3's names
        self.threads.sleep(READ_SECONDS / 10)
        units = -(-self.size // 4096) * len(RequestItems["source"]["Keys"])
        self.consumed.append(Consumed(self.threads.now, units))
        return {"RawBody": json.dumps({"ConsumedCapacity": [{"CapacityUnits": units}]}).encode()}


@pytest.mark.parametrize("size", [100, 400 * KB], ids=["100 B", "400 KB"])
@pytest.mark.parametrize("ceiling", [LEAST_SHARE, 200])
def test_a_replay_keeps_it_as_well(size: int, ceiling: int) -> None:
    threads = VirtualThreads()
    table = Keyed(threads, size)
    source = SourceTable(cast("DynamoDBClient", table), "source", threads.passing())
    keys = [(f"item-{n:04d}",) for n in range(25)]

    def one(_: int) -> None:
        ends = threads.now + INVOCATION
        deadline = Deadline(lambda: int((ends - threads.now) * 1000), lambda: threads.now)
        pacer = read_pacer(ceiling, 1, lambda: threads.now)
        source.items(SPECIFIED.source, keys, pacer=pacer, deadline=deadline)
        while deadline.allows_another():
            source.items(SPECIFIED.source, keys, pacer=pacer, deadline=deadline)

    threads.run([lambda: list(map(one, range(3)))])

    assert most_in_a_minute(cast("Table", table), ceiling) <= 1.1
    assert units_between(table.consumed, 0, threads.now) >= 0.9 * threads.now * ceiling
