"""The ceiling on write units over workers, invocations and minutes: the destination table in virtual time."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import pytest
from botocore.exceptions import ReadTimeoutError

from etl.model.keys import Key
from etl.model.limits import IN_FLIGHT
from etl.tables.ceiling import Pacer
from etl.tables.destination import DestinationTable, Outcome
from tests.consumption import Consumed, most_within, units_between
from tests.fakes.faults import client_error
from tests.unit.virtual_time import in_virtual_time

MINUTE, INVOCATION = 60.0, 300.0
KB = 1024
Sizes = Callable[[int], int]
"""Size of an item, in bytes, by its number."""


@dataclass
class Table:
    """The other end of all workers' channels: it answers after a while, and notes when it consumed how much.

    Attributes:
        seconds: until the answer.
        shrinks: size of an item as DynamoDB counts it, relative to its JSON.
        replaced_bytes: size of the items that are there already: DynamoDB counts the larger one.
        fate: raises the error of a request that shall fail; it is asked before and after the write.
        consumed: the units of each request.
    """

    seconds: float = 0.02
    shrinks: float = 1.0
    replaced_bytes: int = 1
    fate: Callable[[str], None] = lambda _: None
    consumed: list[Consumed] = field(default_factory=list)

    async def batch_write_item(self, body: bytes) -> bytes:
        await asyncio.sleep(self.seconds / 2)
        self.fate("before")
        sizes = [int(len(put) * self.shrinks) for put in body.split(b'{"PutRequest":{"Item":')[1:]]
        units = float(sum(-(-max(size, self.replaced_bytes) // KB) for size in sizes))
        self.consumed.append(Consumed(asyncio.get_running_loop().time(), units))
        self.fate("after")
        await asyncio.sleep(self.seconds / 2)
        return json.dumps({"UnprocessedItems": {}, "ConsumedCapacity": [{"CapacityUnits": units}]}).encode()


def batch(number: int, sizes: Sizes) -> dict[Key, bytes]:
    """A batch of 25 items; of the size of each, 60 bytes are left for what surrounds it in a request."""
    numbers = range(number * 25, number * 25 + 25)
    return {(f"{each:09d}", "t"): _line(sizes(each)) for each in numbers}


@cache
def _line(size: int) -> bytes:
    return b'{"id":"%s"}' % (b"x" * max(1, size - 60))


async def invocation(table: Table, rate: float, sizes: Sizes, number: int, until: float) -> int:
    """One invocation of Load, as `etl.load` makes it: batches side by side until time is up; gives the next batch."""
    loop = asyncio.get_running_loop()

    def remaining_ms() -> int:
        return int((until - loop.time()) * 1000)

    destination = DestinationTable(table, "t", Pacer(rate, loop.time), remaining_ms)
    pending: list[asyncio.Task[Outcome]] = []
    begun = number
    while remaining_ms() > INVOCATION * 1000 / 50:
        while len(pending) < IN_FLIGHT:
            pending.append(asyncio.create_task(destination.write(batch(begun, sizes))))
            begun += 1
        if not (await pending.pop(0)).finished:
            break
        number += 1
    await asyncio.gather(*pending)
    return number


async def worker(table: Table, rate: float, sizes: Sizes, first: int, seconds: float) -> int:
    """A worker's invocations, one after the other; gives how many batches they finished."""
    loop, number = asyncio.get_running_loop(), first
    while loop.time() < seconds:
        number = await invocation(table, rate, sizes, number, loop.time() + INVOCATION)
    return number - first


def held(table: Table, ceiling: float, workers: int, sizes: Sizes, seconds: float = 3 * MINUTE) -> list[int]:
    """Let workers that share a ceiling write for so long at least."""

    async def all_of_them() -> list[int]:
        each = (worker(table, ceiling / workers, sizes, n * 10**6, seconds) for n in range(workers))
        return await asyncio.gather(*each)

    return in_virtual_time(all_of_them())


def small(_: int) -> int:
    return 700


def smaller_than_json(_: int) -> int:
    return 1400


def ten_kb(_: int) -> int:
    return 10 * KB


def few_large(number: int) -> int:
    return 300 * KB if number % 40 == 7 else 900


@cache
def of_all_sizes(number: int) -> int:
    return random.Random(number).choice((200, 1000, 3000, 20_000, 60_000))


@pytest.mark.parametrize(("ceiling", "workers"), [(100, 1), (200, 10)])
@pytest.mark.parametrize("sizes", [small, smaller_than_json, ten_kb, few_large, of_all_sizes])
def test_it_holds_within_a_tenth_over_any_minute_and_is_used(ceiling: int, workers: int, sizes: Sizes) -> None:
    table = Table(shrinks=0.7)
    held(table, ceiling, workers, sizes)

    assert most_within(table.consumed, MINUTE) <= 1.1 * MINUTE * ceiling
    assert units_between(table.consumed, 0, INVOCATION - MINUTE) >= 0.95 * (INVOCATION - MINUTE) * ceiling


@pytest.mark.parametrize(("sizes", "replaced_bytes"), [(ten_kb, 1), (small, 10 * KB)], ids=["new", "replacing larger"])
def test_it_holds_from_one_invocation_to_the_next(sizes: Sizes, replaced_bytes: int) -> None:
    table = Table(replaced_bytes=replaced_bytes)
    held(table, 100, 1, sizes, seconds=2 * INVOCATION + MINUTE)

    assert most_within(table.consumed, MINUTE) <= 1.1 * MINUTE * 100


def test_slow_answers_do_not_move_it() -> None:
    table = Table(seconds=5)
    held(table, 100, 1, of_all_sizes)

    assert most_within(table.consumed, MINUTE) <= 1.1 * MINUTE * 100


@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("before", client_error("ProvisionedThroughputExceededException")),
        ("after", client_error("InternalServerError", 500)),
        ("after", ReadTimeoutError(endpoint_url="x")),
    ],
    ids=["throttled", "written, then an error", "written, and no answer"],
)
def test_requests_that_fail_do_not_move_it(when: str, error: Exception) -> None:
    chance = random.Random(1)

    def fail_for_a_third(now: str) -> None:
        if now == when and chance.random() < 1 / 3:
            raise error

    table = Table(fate=fail_for_a_third)
    held(table, 100, 1, small)

    assert most_within(table.consumed, MINUTE) <= 1.1 * MINUTE * 100


def test_idle_time_is_not_made_up_for_later() -> None:
    def fail_for_half_a_minute(_: str) -> None:
        if 60 <= asyncio.get_running_loop().time() < 90:
            raise client_error("ProvisionedThroughputExceededException")

    table = Table(fate=fail_for_half_a_minute)
    held(table, 100, 1, small)

    assert units_between(table.consumed, 60, 90) == 0
    assert units_between(table.consumed, 90, 120) <= 1.1 * 30 * 100


def test_waiting_requests_of_a_slow_table_do_not_come_at_once() -> None:
    def throttling_then_slow(_: str) -> None:
        now = asyncio.get_running_loop().time()
        table.seconds = 20.0 if 80 <= now < 100 else 0.02
        if 60 <= now < 80:
            raise client_error("ProvisionedThroughputExceededException")

    table = Table(fate=throttling_then_slow)
    held(table, 25, 1, small)

    assert units_between(table.consumed, 60, 100) < 0.5 * 40 * 25
    assert most_within(table.consumed, MINUTE) <= 1.1 * MINUTE * 25


def test_a_share_below_a_batch_still_writes_one_an_invocation() -> None:
    table = Table()

    batches = held(table, 1, 1, ten_kb, seconds=INVOCATION)

    assert batches[0] >= 1
    assert units_between(table.consumed, 0, INVOCATION) <= 2 * 25 * 10
