import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from etl.invocation.deadline import Deadline
from etl.model.errors import TransientError
from etl.model.schema import SPECIFIED
from etl.tables.ceiling import Pacer
from etl.tables.source import Page
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.unit.builders import PICKED, Units, item, source


def table(items: list[Item], **more: Any) -> FakeDynamoDB:
    dynamodb = FakeDynamoDB(**more)
    dynamodb.tables["source"] = items
    return dynamodb


def pages(
    dynamodb: FakeDynamoDB, *, segment: int = 0, segments: int = 1, cursor: dict[str, Any] | None = None
) -> list[Page]:
    return list(source(dynamodb).pages(PICKED, segment, segments, cursor))


def identities(found: list[Page]) -> list[str]:
    return sorted(json.loads(line)["id"]["S"] for page in found for line in lines(page))


def lines(page: Page) -> list[bytes]:
    return [bytes(line) for line in page.items]


@pytest.mark.parametrize(
    ("size", "segments"), [(0, 1), (None, 1), (1, 1), (1000, 1), (1001, 2), (5000, 5), (1_000_000, 40)]
)
def test_a_table_has_a_segment_per_size_and_at_most_all_workers(size: int | None, segments: int) -> None:
    dynamodb = FakeDynamoDB()
    dynamodb.size_bytes = size

    assert source(dynamodb).describe().segments(1000, most=40) == segments


def test_the_items_of_the_window_are_read() -> None:
    dynamodb = table([item(1), item(2, timestamp="2024-01-14T10:00:00Z"), item(3, timestamp="2024-01-16T00:00:00Z")])

    assert identities(pages(dynamodb)) == ["item-0001"]


def test_items_without_a_usable_time_come_along() -> None:
    without = item(1)
    del without["timestamp"]
    dynamodb = table([without, item(2, timestamp="soon"), item(3) | {"timestamp": {"N": "5"}}])

    assert len(identities(pages(dynamodb))) == 3


def test_every_page_is_read_and_the_last_has_no_key() -> None:
    found = pages(table([item(n) for n in range(25)], page_items=10))

    assert [len(page.items) for page in found] == [10, 10, 5]
    assert [bool(page.cursor) for page in found] == [True, True, False]
    assert len(set(identities(found))) == 25


def test_a_page_counts_what_was_scanned_before_the_filter() -> None:
    (page,) = pages(table([item(n, timestamp=f"2024-01-{n + 6:02}T10:00:00Z") for n in range(10)]))

    assert (page.scanned, page.read, len(page.items)) == (10, 1, 1)


def test_the_items_read_are_those_that_dynamodb_counted() -> None:
    (page,) = pages(Answering(answer(ITEM).replace(b'"Count":1,', b'"Count":2,')))

    assert (page.read, len(page.items)) == (2, 1)


def test_a_table_without_items_is_one_empty_page() -> None:
    assert pages(FakeDynamoDB()) == [Page([], 0, 0, None, Decimal(0))]


def test_reading_goes_on_behind_a_key() -> None:
    dynamodb = table([item(n) for n in range(25)], page_items=10)
    whole = pages(dynamodb)

    assert pages(dynamodb, cursor=whole[0].cursor) == whole[1:]


def fetched(dynamodb: FakeDynamoDB, *ids: str) -> tuple[dict[str, Any], Decimal]:
    found, units = source(dynamodb).items(SPECIFIED.source, [(each,) for each in ids], lambda _: None)
    return {key: json.loads(line) for (key,), line in found.items()}, units


def test_items_are_fetched_by_their_ids_as_they_are() -> None:
    full = item(1, bin={"B": "aGk="}, bins={"BS": ["aGk=", "AA=="]}, exact={"N": "1.50"})
    dynamodb = table([full, item(2)])

    assert fetched(dynamodb, "item-0001", "none") == ({"item-0001": full}, Decimal(2))
    assert fetched(dynamodb) == ({}, Decimal(0))


def test_unprocessed_keys_are_requested_again_after_a_wait() -> None:
    dynamodb, waits = table([item(n) for n in range(9)]), list[float]()
    dynamodb.undone_keys = [5, 2]
    found, units = source(dynamodb).items(SPECIFIED.source, [(f"item-{n:04d}",) for n in range(9)], waits.append)

    assert sorted(found) == [(f"item-{n:04d}",) for n in range(9)]
    assert units == 9
    assert len(waits) == 2
    assert all(0 <= wait <= 0.4 for wait in waits)


def test_few_items_are_fetched_together_since_each_may_be_large() -> None:
    dynamodb = table([item(n) for n in range(25)])
    found, units = source(dynamodb).items(SPECIFIED.source, [(f"item-{n:04d}",) for n in range(25)])

    assert (len(found), units) == (25, Decimal(25))
    assert dynamodb.faults.calls == ["BatchGetItem"] * 4


@pytest.mark.parametrize(("share", "requests"), [(1, 9), (36, 9), (40, 5), (160, 2), (10_000, 2)])
def test_a_ceiling_makes_requests_small_enough_for_large_items(share: float, requests: int) -> None:
    dynamodb = table([item(n) for n in range(9)])
    wanted = [(f"item-{n:04d}",) for n in range(9)]

    found, _ = source(dynamodb).items(SPECIFIED.source, wanted, lambda _: None, Pacer(share, lambda: 0.0))

    assert len(found) == 9
    assert dynamodb.faults.calls == ["BatchGetItem"] * requests


def test_items_are_fetched_at_the_pace_of_the_ceiling() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    pacer = Pacer(2, lambda: clock[0])
    for _ in range(2):
        source(table([item(n) for n in range(9)])).items(
            SPECIFIED.source, [(f"item-{n:04d}",) for n in range(9)], sleep, pacer
        )

    assert clock[0] == 17 / 2  # a unit each, and nothing to wait for after the last


def test_waits_for_the_ceiling_never_take_the_whole_time() -> None:
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    deadline = Deadline(lambda: int((300 - clock[0]) * 1000), lambda: clock[0])
    found, _ = source(table([item(n) for n in range(9)])).items(
        SPECIFIED.source,
        [(f"item-{n:04d}",) for n in range(9)],
        sleep,
        Pacer(0.001, lambda: clock[0]),
        deadline,
    )

    assert len(found) == 9
    assert 290 < clock[0] < 300


def test_keys_that_are_left_undone_for_ever_end_the_invocation() -> None:
    dynamodb = table([])
    dynamodb.undone_keys = [9] * 8

    with pytest.raises(TransientError, match=r"source table source .* 8 times"):
        fetched(dynamodb, "a", "b")


def test_the_segments_share_the_items() -> None:
    dynamodb = table([item(n) for n in range(50)])
    found = [identities(pages(dynamodb, segment=segment, segments=3)) for segment in range(3)]

    assert all(found)
    assert sorted(name for names in found for name in names) == [f"item-{n:04d}" for n in range(50)]


class Answering(FakeDynamoDB):
    """A table that answers with these bytes, page after page."""

    def __init__(self, *bodies: bytes) -> None:
        super().__init__()
        self._bodies = list(bodies)

    def scan(self, **request: Any) -> dict[str, Any]:
        self.scans.append(request)
        return {"RawBody": self._bodies.pop(0)}


def answer(*items: bytes) -> bytes:
    return b'{"Items":[%s],"Count":%d,"ScannedCount":%d}' % (b",".join(items), len(items), len(items))


ITEM = b'{"timestamp":{"S":"2024-01-15T10:00:00Z"},"id":{"S":"\\u00e9"},  "n":{"N":"1.50"}}'


def test_an_item_is_the_bytes_that_dynamodb_sent() -> None:
    assert lines(pages(Answering(answer(ITEM)))[0]) == [ITEM]


@pytest.mark.parametrize("text", ["é", "日本", "\U0001f600", '"},{"', "\\", "\n", "\u2028"])
def test_text_with_json_signs_or_beyond_ascii_stays_as_sent(text: str) -> None:
    sent = [
        json.dumps({"id": {"S": text}, text: {"S": text}}, ensure_ascii=escaped).encode() for escaped in (True, False)
    ]

    assert lines(pages(Answering(answer(*sent)))[0]) == sent


def test_an_item_of_several_lines_becomes_one_line() -> None:
    body = answer(ITEM.replace(b",", b",\n"), ITEM)

    assert lines(pages(Answering(body))[0]) == [
        '{"timestamp":{"S":"2024-01-15T10:00:00Z"},"id":{"S":"é"},"n":{"N":"1.50"}}'.encode(),
        ITEM,
    ]


def test_the_key_of_the_next_page_goes_back_as_it_came() -> None:
    key = {"id": {"S": "é"}, "n": {"N": "1.50"}, "b": {"B": "AA=="}}
    first = answer(ITEM)[:-1] + b',"LastEvaluatedKey":' + json.dumps(key).encode() + b"}"
    dynamodb = Answering(first, answer())

    assert [page.cursor for page in pages(dynamodb)] == [{"key": key}, None]
    assert dynamodb.scans[1]["ExclusiveStartKey"] == key


def test_an_answer_that_botocore_has_parsed_gives_the_same_items() -> None:
    full = item(1, bin={"B": "aGk="}, bins={"BS": ["aGk=", "AA=="]}, deep={"L": [{"M": {"b": {"B": ""}}}]})
    raw, parsed = (pages(table([full], raw=raw)) for raw in (True, False))

    assert identities(parsed) == identities(raw)
    assert b'"bin":{"B":"aGk="}' in lines(parsed[0])[0]
    assert b'"bins":{"BS":["aGk=","AA=="]}' in lines(parsed[0])[0]
    assert b'{"M":{"b":{"B":""}}}' in lines(parsed[0])[0]
    assert (parsed[0].scanned, parsed[0].read) == (raw[0].scanned, raw[0].read)


def test_the_request_names_the_segment_and_filters() -> None:
    dynamodb = FakeDynamoDB()
    pages(dynamodb, segment=1, segments=3)
    (request,) = dynamodb.scans

    assert (request["TableName"], request["Segment"], request["TotalSegments"]) == ("source", 1, 3)
    assert "ExclusiveStartKey" not in request
    assert "FilterExpression" in request


def reading(dynamodb: FakeDynamoDB, deadline: Deadline | None = None) -> Iterator[Page]:
    return source(dynamodb).pages(PICKED, 0, 1, None, deadline)


class Announcing(FakeDynamoDB):
    """A table that tells when its next page has been asked for."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.asked = threading.Semaphore(0)

    def scan(self, **request: Any) -> dict[str, Any]:
        self.asked.release()
        return super().scan(**request)


def test_the_next_page_is_fetched_during_the_work_on_this_one() -> None:
    dynamodb = Announcing(page_items=10)
    dynamodb.tables["source"] = [item(n) for n in range(25)]
    found = reading(dynamodb)
    next(found)

    assert dynamodb.asked.acquire(timeout=10)  # the first page
    assert dynamodb.asked.acquire(timeout=10)  # the second, that nobody has taken yet
    assert not dynamodb.asked.acquire(timeout=0.05)
    assert len(list(found)) == 2


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_no_page_is_fetched_in_vain(allowed: int) -> None:
    dynamodb = table([item(n) for n in range(45)], page_items=10)

    assert len(list(reading(dynamodb, Units(allowed)))) == len(dynamodb.scans) == allowed


def test_the_last_page_asks_for_no_other() -> None:
    class Unasked(Deadline):
        def allows_another(self) -> bool:
            raise AssertionError("nobody asks")

    assert len(list(reading(table([item(1)]), Unasked(lambda: 300_000)))) == 1


def test_a_page_that_fails_is_told_after_the_one_before_it() -> None:
    dynamodb = table([item(n) for n in range(25)], page_items=10)
    dynamodb.faults.fail(2, lambda: ValueError("the second page"))
    found = reading(dynamodb)

    assert len(next(found).items) == 10
    with pytest.raises(ValueError, match="the second page"):
        next(found)
    assert not scanning_threads()


def scanning_threads() -> list[str]:
    """The threads that scan, but for those that are about to end."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("scan")]
    for thread in threads:
        thread.join(timeout=1)
    return [thread.name for thread in threads if thread.is_alive()]


def test_no_thread_is_left_behind_by_one_who_stops_reading() -> None:
    found = reading(table([item(n) for n in range(25)], page_items=10))
    next(found)
    assert scanning_threads()
    del found

    assert not scanning_threads()
