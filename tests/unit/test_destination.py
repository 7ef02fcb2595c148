import asyncio
import json
import math
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from etl.model.keys import Key
from etl.model.limits import IN_FLIGHT
from etl.model.schema import DESTINATION_KEY
from etl.tables.ceiling import Pacer
from etl.tables.destination import DestinationTable, Outcome
from tests.fakes.channel import FakeChannel
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.fakes.faults import client_error
from tests.unit.builders import item, no_waiting
from tests.unit.virtual_time import in_virtual_time

PLENTY_MS = 300_000


class Waiting:
    """Remembers how long was slept, and takes that off the time that remains."""

    def __init__(self, remaining_ms: int = PLENTY_MS) -> None:
        self.slept: list[float] = []
        self._remaining_ms = remaining_ms

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def remaining_ms(self) -> int:
        return int(self._remaining_ms - sum(self.slept) * 1000)


def encoded(items: list[Item]) -> dict[Key, bytes]:
    return {tuple(each[name]["S"] for name in DESTINATION_KEY): json.dumps(each).encode() for each in items}


def written(
    dynamodb: FakeDynamoDB, items: list[Item], waiting: Waiting | None = None, pacer: Pacer | None = None
) -> Outcome:
    waiting = waiting or Waiting()
    pacer = pacer or Pacer(None)
    table = DestinationTable(FakeChannel(dynamodb), "destination", pacer, waiting.remaining_ms, waiting.sleep)
    return asyncio.run(table.write(encoded(items)))


def scripted(*script: BaseException | int) -> FakeDynamoDB:
    dynamodb = FakeDynamoDB()
    dynamodb.most_item_bytes = 2000  # as DynamoDB's own 400 KB, and quicker
    dynamodb.script = list(script)
    return dynamodb


def numbered(count: int) -> list[Item]:
    return [item(n) for n in range(count)]


def too_large(number: int) -> Item:
    return item(number, blob={"S": "x" * 2000})


def held(dynamodb: FakeDynamoDB) -> list[str]:
    return sorted(each["id"]["S"] for each in dynamodb.tables["destination"])


def test_a_batch_is_one_request() -> None:
    dynamodb = FakeDynamoDB()
    outcome = written(dynamodb, numbered(25))

    assert (outcome.loaded, outcome.requests, outcome.throttled, outcome.finished) == (25, 1, 0, True)
    assert dynamodb.tables["destination"] == numbered(25)


def test_nothing_to_write_is_no_request() -> None:
    assert written(FakeDynamoDB(), []) == Outcome()


def test_only_unprocessed_items_are_sent_again() -> None:
    dynamodb = scripted(10, 3)
    outcome = written(dynamodb, numbered(25))

    assert [len(request) for request in dynamodb.requests] == [25, 10, 3]
    assert (outcome.loaded, outcome.requests, outcome.throttled) == (25, 3, 2)
    assert held(dynamodb) == [f"item-{n:04d}" for n in range(25)]


def test_unprocessed_items_are_recognised_in_another_spelling() -> None:
    odd = item(1, timestamp='2024-01-15T10:00:00Z"\\') | {"id": {"S": 'é\u2028😀"\n'}}
    dynamodb = scripted(1)
    written(dynamodb, [odd])

    assert dynamodb.requests == [[odd], [odd]]


PASSING = [
    client_error("ProvisionedThroughputExceededException"),
    client_error("ThrottlingException"),
    client_error("InternalServerError", 500),
    client_error("ServiceUnavailable", 503),
    EndpointConnectionError(endpoint_url="x"),
    ConnectTimeoutError(endpoint_url="x"),
    ReadTimeoutError(endpoint_url="x"),
]


@pytest.mark.parametrize("error", PASSING)
def test_an_error_that_passes_is_waited_out(error: Exception) -> None:
    dynamodb = scripted(error, error)
    outcome = written(dynamodb, numbered(25))

    assert (outcome.loaded, outcome.requests, outcome.throttled, outcome.finished) == (25, 3, 2, True)


def test_the_waiting_grows_up_to_five_seconds_with_full_jitter() -> None:
    waiting = Waiting()
    written(scripted(*[25] * 40), numbered(25), waiting)

    assert all(slept <= min(5.0, 0.05 * 2**attempt) for attempt, slept in enumerate(waiting.slept))
    assert max(waiting.slept) > 2.5
    assert len({round(slept, 6) for slept in waiting.slept}) == len(waiting.slept)


def test_waiting_leaves_time_to_save_the_cursor() -> None:
    waiting = Waiting(remaining_ms=10_000)
    outcome = written(scripted(*[25] * 1000), numbered(25), waiting)

    assert not outcome.finished
    assert waiting.remaining_ms() > 0
    assert outcome.loaded == 0


def test_records_before_the_end_of_time_are_counted() -> None:
    outcome = written(scripted(10, *[10] * 1000), numbered(25), Waiting(remaining_ms=1_000))

    assert (outcome.loaded, outcome.finished) == (15, False)


@pytest.mark.parametrize(
    "error",
    [client_error("AccessDeniedException"), client_error("ResourceNotFoundException"), NoCredentialsError()],
)
def test_an_error_that_does_not_pass_is_raised_at_once(error: Exception) -> None:
    dynamodb = scripted(error)

    with pytest.raises(type(error)):
        written(dynamodb, numbered(25))

    assert len(dynamodb.requests) == 1


@pytest.mark.parametrize("place", range(25))
def test_a_refused_item_is_isolated_in_few_requests(place: int) -> None:
    items = numbered(25)
    items[place] = too_large(place)
    dynamodb = scripted()
    outcome = written(dynamodb, items)

    assert list(outcome.rejected) == [(f"item-{place:04d}", "2024-01-15T10:00:00Z")]
    assert outcome.requests == len(dynamodb.requests) <= 2 * math.ceil(math.log2(25)) + 1
    assert (outcome.loaded, len(held(dynamodb)), outcome.finished) == (24, 24, True)


def test_the_reason_is_what_dynamodb_says() -> None:
    (reason,) = written(scripted(), [too_large(1)]).rejected.values()

    assert (reason.field, reason.got) == ("", "Item size has exceeded the maximum allowed size")


def test_a_request_that_is_too_large_as_a_whole_is_halved() -> None:
    refusal = client_error("RequestEntityTooLargeException", 413)
    dynamodb = scripted(refusal)
    outcome = written(dynamodb, numbered(25))

    assert [len(request) for request in dynamodb.requests] == [25, 12, 13]
    assert (outcome.loaded, outcome.rejected) == (25, {})


@given(st.sets(st.integers(0, 24)), st.lists(st.sampled_from([0, 1, 5, PASSING[0]]), max_size=20))
def test_every_record_is_loaded_or_rejected_for_any_answer(refused: set[int], script: list[Any]) -> None:
    items = [too_large(n) if n in refused else item(n) for n in range(25)]
    dynamodb = scripted(*script)
    outcome = written(dynamodb, items)

    assert {key[0] for key in outcome.rejected} == {f"item-{n:04d}" for n in refused}
    assert held(dynamodb) == [f"item-{n:04d}" for n in range(25) if n not in refused]
    assert (outcome.loaded, outcome.finished) == (25 - len(refused), True)


def test_a_batch_is_unfinished_if_time_ends_while_isolating() -> None:
    dynamodb = scripted(client_error("ValidationException"), *[12] * 1000)
    outcome = written(dynamodb, numbered(25), Waiting(remaining_ms=1_000))

    assert not outcome.finished
    assert all(len(request) <= 12 for request in dynamodb.requests[1:])


def at_rest(units_per_second: float) -> Pacer:
    """A pacer whose clock stands still."""
    return Pacer(units_per_second, lambda: 0.0)


def wide(count: int, bytes_each: int) -> list[Item]:
    """Items of a size: a KB or two, as DynamoDB rounds it up."""
    return [item(n, blob={"S": "x" * (bytes_each - 150)}) for n in range(count)]


def written_in_turn(dynamodb: FakeDynamoDB, batches: list[list[Item]], waiting: Waiting, pacer: Pacer) -> list[Outcome]:
    async def write() -> list[Outcome]:
        table = DestinationTable(FakeChannel(dynamodb), "destination", pacer, waiting.remaining_ms, waiting.sleep)
        return await asyncio.gather(*(table.write(encoded(batch)) for batch in batches))

    return asyncio.run(write())


def test_a_batch_waits_for_its_units_before_it_is_sent() -> None:
    pacer = at_rest(30)
    pacer.reserve(60)
    waiting = Waiting()
    written(FakeDynamoDB(), numbered(5), waiting, pacer)

    assert waiting.slept == [2.0]


def test_a_batch_reserves_units_by_the_size_of_its_items() -> None:
    pacer = at_rest(1000)
    waiting = Waiting()
    written_in_turn(FakeDynamoDB(), [wide(25, 1500), wide(25, 1500)], waiting, pacer)

    assert waiting.slept == [0.05]  # 50 units


def test_a_batch_with_late_units_is_not_sent_and_takes_none() -> None:
    pacer = at_rest(30)
    dynamodb = FakeDynamoDB()
    first, second = written_in_turn(dynamodb, [numbered(25), numbered(5)], Waiting(remaining_ms=1_700), pacer)

    assert (first.finished, second.finished) == (True, False)
    assert [len(request) for request in dynamodb.requests] == [25]
    assert (second.requests, second.throttled) == (0, 0)
    assert pacer.reserve(1) == 25 / 30


def test_a_batch_of_more_than_a_second_is_sent_in_portions() -> None:
    dynamodb, waiting = FakeDynamoDB(), Waiting()
    outcome = written(dynamodb, numbered(25), waiting, at_rest(10))

    assert [len(request) for request in dynamodb.requests] == [10, 10, 5]
    assert waiting.slept == [1.0, 2.0]
    assert (outcome.loaded, outcome.requests, outcome.units) == (25, 3, 25.0)


def test_batches_in_portions_follow_each_other() -> None:
    async def write() -> list[Outcome]:
        clock = asyncio.get_running_loop().time
        pacer, channel = Pacer(10, clock), FakeChannel(FakeDynamoDB(), 0.1)
        table = DestinationTable(channel, "destination", pacer, lambda: int(4_000 - clock() * 1000))
        batches = (encoded([item(n) for n in range(first, first + 25)]) for first in (0, 100))
        return await asyncio.gather(*map(table.write, batches))

    outcomes = in_virtual_time(write())

    assert [(outcome.finished, outcome.loaded) for outcome in outcomes] == [(True, 25), (False, 10)]


def test_the_first_batch_is_written_whatever_its_share() -> None:
    dynamodb, waiting = FakeDynamoDB(), Waiting()
    outcome = written(dynamodb, numbered(25), waiting, at_rest(0.01))

    assert (outcome.finished, outcome.loaded, len(dynamodb.requests)) == (True, 25, 25)
    assert waiting.remaining_ms() > PLENTY_MS / 3


def test_the_consumed_units_count() -> None:
    pacer = at_rest(50)
    outcome = written(scripted(15), wide(25, 1500), pacer=pacer)  # the fake consumes a unit an item: 10, then 15

    assert outcome.units == 25
    assert pacer.reserve(1) == pytest.approx(0.5)


def test_consumed_units_are_added_up_without_a_ceiling_too() -> None:
    assert written(scripted(10, 3), numbered(25)).units == 25


def test_a_request_that_was_refused_consumed_nothing() -> None:
    pacer = at_rest(50)
    outcome = written(scripted(PASSING[0]), numbered(25), pacer=pacer)

    assert (outcome.units, pacer.reserve(1)) == (25, 0.5)


@pytest.mark.parametrize("error", [PASSING[2], PASSING[-1]])
def test_a_request_that_may_be_done_keeps_its_reservation(error: Exception) -> None:
    pacer = at_rest(50)
    written(scripted(error), numbered(25), pacer=pacer)

    assert pacer.reserve(1) == 1.0


def test_an_answer_without_capacity_counts_as_reserved() -> None:
    class Silent(FakeDynamoDB):
        def batch_write_item(self, **_: Any) -> dict[str, Any]:
            return {"RawBody": b'{"UnprocessedItems":{}}', "ResponseMetadata": {}}

    pacer = at_rest(50)
    outcome = written(Silent(), numbered(25), pacer=pacer)

    assert (outcome.units, pacer.reserve(1)) == (0, 0.5)


def test_an_error_that_ends_the_run_is_raised_from_a_half_too() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        written(scripted(client_error("ValidationException"), client_error("AccessDeniedException")), numbered(25))


def written_side_by_side(channel: FakeChannel, batches: int) -> None:
    async def write() -> None:
        table = DestinationTable(channel, "destination", Pacer(None), Waiting().remaining_ms, no_waiting)
        await asyncio.gather(*(table.write(encoded([item(n)])) for n in range(batches)))

    asyncio.run(write())


def test_batches_are_written_side_by_side_up_to_a_number() -> None:
    channel = FakeChannel(FakeDynamoDB(), 0.001)
    written_side_by_side(channel, 50)

    assert max(channel.under_way) == IN_FLIGHT


@pytest.mark.parametrize("later", [1, PASSING[0]])
def test_unprocessed_items_halve_the_requests_in_flight(later: Any) -> None:
    channel = FakeChannel(scripted(*[later] * IN_FLIGHT), 0.001)
    written_side_by_side(channel, IN_FLIGHT)

    assert max(channel.under_way[:IN_FLIGHT]) == IN_FLIGHT
    assert max(channel.under_way[IN_FLIGHT:]) == IN_FLIGHT // 2


def test_refused_items_do_not_slow_the_others_down() -> None:
    channel = FakeChannel(scripted(*[client_error("RequestEntityTooLargeException", 413)] * 4), 0.001)
    written_side_by_side(channel, 50)

    assert max(channel.under_way[-20:]) == IN_FLIGHT
