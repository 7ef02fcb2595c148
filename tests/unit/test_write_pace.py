import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from etl.tables.write_pace import InFlight, portions, units_at_most


def test_a_batch_of_at_most_a_second_is_one_request() -> None:
    items = dict.fromkeys(range(25), b"x" * 1024)

    assert portions(items, 25) == [items]
    assert portions(items, None) == [items]


def test_a_larger_batch_is_sent_in_portions_of_a_second() -> None:
    sizes = [1024, 1025, 1024, 10_000, 1, 2048, 1024]
    items = {number: b"x" * size for number, size in enumerate(sizes)}
    divided = portions(items, 3)

    assert [list(portion) for portion in divided] == [[0, 1], [2], [3], [4, 5], [6]]
    assert {key: item for portion in divided for key, item in portion.items()} == items


@pytest.mark.parametrize(("size", "units"), [(1, 1), (1024, 1), (1025, 2), (400 * 1024, 400)])
def test_an_item_consumes_a_unit_for_each_kb_that_it_begins(size: int, units: int) -> None:
    assert units_at_most(b"x" * size) == units


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


def enter_now(flight: InFlight) -> int | None:
    """A place, if there is one without waiting."""
    entering = flight.enter()
    try:
        entering.send(None)
    except StopIteration as done:
        place: int = done.value
        return place
    entering.close()
    return None


def entered(flight: InFlight) -> list[int]:
    """All places that there are."""
    return list(iter(lambda: enter_now(flight), None))


@in_loop
async def test_at_first_there_are_as_many_places_as_may_be() -> None:
    assert len(entered(InFlight(16))) == 16


@in_loop
async def test_throttling_halves_the_places_once_for_requests_together() -> None:
    flight = InFlight(16)
    for place in entered(flight):
        flight.leave(place, throttled=True)

    assert len(entered(flight)) == 8


@in_loop
async def test_throttling_of_later_requests_halves_them_down_to_one() -> None:
    flight = InFlight(16)
    for _ in range(10):
        for place in entered(flight):
            flight.leave(place, throttled=True)

    assert len(entered(flight)) == 1


@in_loop
async def test_each_round_without_throttling_gives_one_place_back() -> None:
    flight = InFlight(4)
    for place in entered(flight):
        flight.leave(place, throttled=True)
    seen = []
    for _ in range(6):
        places = entered(flight)
        seen.append(len(places))
        for place in places:
            flight.leave(place, throttled=False)

    assert seen == [2, 2, 3, 4, 4, 4]


@in_loop
async def test_a_waiter_gets_the_place_that_another_leaves() -> None:
    flight = InFlight(1)
    place = await flight.enter()
    waiting = [asyncio.create_task(flight.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    flight.leave(place, throttled=False)
    await asyncio.wait(waiting, timeout=1, return_when=asyncio.FIRST_COMPLETED)

    assert [task.done() for task in waiting].count(True) == 1
    flight.leave(0, throttled=False)
    await asyncio.wait_for(asyncio.gather(*waiting), 1)


async def rounds(workers: list[InFlight], capacity: int, count: int) -> tuple[float, float]:
    """Workers that share a table of ``capacity`` requests a round: shares of it used, and of requests throttled."""
    taken = throttled = 0
    for number in range(count):
        places = [(worker, place) for worker in workers for place in entered(worker)]
        shift = number * 7 % len(places)
        for position, (worker, place) in enumerate(places[shift:] + places[:shift]):
            worker.leave(place, throttled=position >= capacity)
        taken += min(capacity, len(places))
        throttled += max(0, len(places) - capacity)
    return taken / (capacity * count), throttled / (taken + throttled)


@pytest.mark.parametrize("capacity", [20, 40, 80])
@in_loop
async def test_workers_slow_down_together_and_speed_up_again(capacity: int) -> None:
    workers = [InFlight(16) for _ in range(8)]
    await rounds(workers, capacity, 30)
    used, throttled = await rounds(workers, capacity, 100)

    assert used > 0.7
    assert throttled < 0.35
    assert (await rounds(workers, 1000, 40))[1] == 0
    assert all(len(entered(worker)) == 16 for worker in workers)
