from typing import Any

import pytest

from etl.source import Page
from tests.unit.builders import END, START, item, source
from tests.unit.fakes.dynamodb import FakeDynamoDB, Item


def table(items: list[Item], **more: Any) -> FakeDynamoDB:
    dynamodb = FakeDynamoDB(**more)
    dynamodb.tables["source"] = items
    return dynamodb


def pages(
    dynamodb: FakeDynamoDB, *, segment: int = 0, segments: int = 1, key: dict[str, Any] | None = None
) -> list[Page]:
    return list(source(dynamodb).pages(START, END, segment, segments, key))


def identities(found: list[Page]) -> list[str]:
    return sorted(line.decode().split('"id":')[1].split('"')[3] for page in found for line in page.items)


@pytest.mark.parametrize(
    ("size", "segments"), [(0, 1), (None, 1), (1, 1), (1000, 1), (1001, 2), (5000, 5), (1_000_000, 40)]
)
def test_a_table_has_a_segment_for_each_so_many_bytes_and_no_more_than_workers(size: int | None, segments: int) -> None:
    dynamodb = FakeDynamoDB()
    dynamodb.size_bytes = size

    assert source(dynamodb).segments(1000, most=40) == segments


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
    assert [bool(page.last_key) for page in found] == [True, True, False]
    assert len(set(identities(found))) == 25


def test_a_page_counts_what_was_scanned_before_the_filter() -> None:
    (page,) = pages(table([item(n, timestamp=f"2024-01-{n + 10}T10:00:00Z") for n in range(10)]))

    assert (page.scanned, len(page.items)) == (10, 1)


def test_a_table_without_items_is_one_empty_page() -> None:
    assert pages(FakeDynamoDB()) == [Page([], [], 0, None)]


def test_reading_goes_on_behind_a_key() -> None:
    dynamodb = table([item(n) for n in range(25)], page_items=10)
    whole = pages(dynamodb)

    assert pages(dynamodb, key=whole[0].last_key) == whole[1:]


def test_the_segments_share_the_items() -> None:
    dynamodb = table([item(n) for n in range(50)])
    found = [identities(pages(dynamodb, segment=segment, segments=3)) for segment in range(3)]

    assert all(found)
    assert sorted(name for names in found for name in names) == [f"item-{n:04d}" for n in range(50)]


def test_each_item_comes_with_its_timestamp() -> None:
    without = item(1)
    del without["timestamp"]
    (page,) = pages(table([without]))

    assert page.timestamps == [None]
    assert pages(table([item(1)]))[0].timestamps == [{"S": "2024-01-15T10:00:00Z"}]


class Answering(FakeDynamoDB):
    """A table that answers with these bytes."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def scan(self, **_: Any) -> dict[str, Any]:
        return {"RawBody": self._body}


ITEM = b'{"timestamp":{"S":"2024-01-15T10:00:00Z"},"id":{"S":"\\u00e9"},  "n":{"N":"1.50"}}'


def test_an_item_is_the_bytes_that_dynamodb_sent() -> None:
    assert pages(Answering(b'{"Items":[%s],"Count":1,"ScannedCount":1}' % ITEM))[0].items == [ITEM]


def test_an_item_that_was_sent_in_several_lines_becomes_one() -> None:
    body = b'{"Items":[%s],"Count":1,"ScannedCount":1}' % ITEM.replace(b",", b",\n")

    assert pages(Answering(body))[0].items == [
        '{"timestamp":{"S":"2024-01-15T10:00:00Z"},"id":{"S":"é"},"n":{"N":"1.50"}}'.encode()
    ]


def test_an_answer_that_botocore_has_parsed_gives_the_same_items() -> None:
    full = item(1, bin={"B": "aGk="}, bins={"BS": ["aGk=", "AA=="]}, deep={"L": [{"M": {"b": {"B": ""}}}]})
    raw, parsed = (pages(table([full], raw=raw)) for raw in (True, False))

    assert identities(parsed) == identities(raw)
    assert b'"bin":{"B":"aGk="}' in parsed[0].items[0]
    assert b'"bins":{"BS":["aGk=","AA=="]}' in parsed[0].items[0]
    assert b'{"M":{"b":{"B":""}}}' in parsed[0].items[0]
    assert (parsed[0].scanned, parsed[0].timestamps) == (raw[0].scanned, raw[0].timestamps)


def test_the_request_names_the_segment_and_filters() -> None:
    dynamodb = FakeDynamoDB()
    pages(dynamodb, segment=1, segments=3)
    (request,) = dynamodb.scans

    assert (request["TableName"], request["Segment"], request["TotalSegments"]) == ("source", 1, 3)
    assert "ExclusiveStartKey" not in request
    assert "FilterExpression" in request
