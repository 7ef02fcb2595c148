"""The source table, read page by page as the bytes that DynamoDB sent."""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from etl.aws.backoff import full_jitter
from etl.invocation.deadline import Deadline
from etl.model.errors import Reason, TransientError
from etl.model.schema import SOURCE_KEY, reader
from etl.tables.scan import MACHINE, PageRequests, Passing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


_UNPROCESSED_ATTEMPTS = 8
# An item of 400 KB may have 4 MB of JSON; BatchGetItem would take 100 keys (API reference).
_KEYS_TOGETHER = 8


class _Consumed(msgspec.Struct, rename="pascal", frozen=True):
    capacity_units: Decimal = Decimal(0)


class _RawPage(msgspec.Struct, rename="pascal"):
    items: list[msgspec.Raw]
    count: int
    scanned_count: int
    last_evaluated_key: dict[str, Any] | None = None
    consumed_capacity: _Consumed = _Consumed()


class _RawItems(msgspec.Struct, rename="pascal"):
    responses: dict[str, list[msgspec.Raw]] = {}
    unprocessed_keys: dict[str, Any] = {}
    consumed_capacity: list[_Consumed] = []


_pages = msgspec.json.Decoder(_RawPage)
_answers = msgspec.json.Decoder(_RawItems)
_id_of = reader(SOURCE_KEY, wire=True)


class Page(NamedTuple):
    """A page of what Extract takes up.

    Attributes:
        items: each item as DynamoDB sent it, one line of DynamoDB JSON.
        read: how many items there are, as DynamoDB counted them; in a replay, how many quarantined records.
        scanned: items that DynamoDB read for the page, before its filter.
        cursor: where the next page starts; None on the last page.
        units: read units that the page consumed.
        not_replayable: number of quarantined records that a replay can't take up.
    """

    items: Sequence[bytes]
    read: int
    scanned: int
    cursor: dict[str, Any] | None
    units: Decimal
    not_replayable: int = 0


class SourceTable:
    """The source table.

    Args:
        dynamodb: client of DynamoDB, made by ``etl.aws.clients.dynamodb_client``.
        name: name of the table.
        passing: how time passes, and requests are sent.
    """

    def __init__(self, dynamodb: "DynamoDBClient", name: str, passing: Passing = MACHINE) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._passing = passing

    def segments(self, segment_bytes: int, most: int) -> int:
        """How many segments to read the table in: one for each ``segment_bytes`` of it, at most ``most``.

        The size that DynamoDB tells is up to six hours old. A table that has grown since takes longer and is
        read whole all the same.
        """
        size = self._dynamodb.describe_table(TableName=self._name)["Table"].get("TableSizeBytes", 0)
        return max(1, min(most, math.ceil(size / segment_bytes)))

    def pages(
        self,
        picked: Mapping[str, Any],
        segment: int,
        segments: int,
        cursor: dict[str, Any] | None,
        deadline: Deadline | None = None,
    ) -> Iterator[Page]:
        """The pages of one segment with the items that a filter picks, until the segment or the time ends.

        The next page is fetched while the caller works on this one; its failure is raised after that. A page that is
        refused in passing is asked for again as long as there is time, so the pages before it are kept.

        Args:
            picked: the filter, a part of a Scan request, as ``etl.tables.timestamps.window_filter`` makes it.
            segment: number of the segment, from 0.
            segments: number of segments that the table is read in.
            cursor: that of the page to go on after, ``{"key": …}`` with a key in DynamoDB JSON; None for the segment's
                beginning.
            deadline: the end of the invocation; None for no end, and for one attempt of each page.

        Raises:
            ClientError: DynamoDB refuses a page for good, or refused the first one until the time ended.
            TransientError: not one page came before the time ended.
        """
        request = {
            "TableName": self._name,
            "Segment": segment,
            "TotalSegments": segments,
            "ReturnConsumedCapacity": "TOTAL",
            **picked,
        }
        first = True
        with PageRequests(self._scan, deadline, self._passing) as requests:
            requests.ask(request | ({"ExclusiveStartKey": cursor["key"]} if cursor else {}))
            while (body := requests.page()) is not None:
                page, first = _page(body), False
                goes_on = bool(page.cursor) and (deadline is None or deadline.allows_another())
                if page.cursor and goes_on:
                    requests.ask(request | {"ExclusiveStartKey": page.cursor["key"]})
                yield page
                if not goes_on:
                    return
            if first:
                raise requests.nothing_came(self._name)

    def items(
        self, ids: Collection[str], sleep: Callable[[float], None] = time.sleep
    ) -> tuple[dict[str, bytes], Decimal]:
        """The items with these ids as they are now, by id; and the read units that it took.

        Args:
            ids: no two the same.
            sleep: waits for a number of seconds.

        Raises:
            TransientError: DynamoDB left some undone again and again.
        """
        found: dict[str, bytes] = {}
        units = Decimal(0)
        rest = iter(ids)
        while some := list(islice(rest, _KEYS_TOGETHER)):
            units += self._take_items(some, found, sleep)
        return found, units

    def _take_items(self, ids: list[str], found: dict[str, bytes], sleep: Callable[[float], None]) -> Decimal:
        """Add the items with a few ids to those that were found; returns the read units."""
        units = Decimal(0)
        # What was corrected a moment ago is to be seen.
        left: Any = {self._name: {"Keys": [{SOURCE_KEY: {"S": each}} for each in ids], "ConsistentRead": True}}
        for attempt in range(_UNPROCESSED_ATTEMPTS):
            if attempt:
                sleep(full_jitter(attempt))
            answer = _answers.decode(
                _raw(self._dynamodb.batch_get_item(RequestItems=left, ReturnConsumedCapacity="TOTAL"))
            )
            for item in answer.responses.get(self._name, ()):
                found[_id_of(item)[0]] = _one_line(item)
            units += sum(each.capacity_units for each in answer.consumed_capacity)
            left = answer.unprocessed_keys
            if not left:
                return units
        raise TransientError(
            f"the source table {self._name} left keys of a BatchGetItem undone {_UNPROCESSED_ATTEMPTS} times: "
            "look at its throttling metrics",
            Reason.SOURCE_BUSY,
        )

    def _scan(self, request: dict[str, Any]) -> bytes:
        return _raw(self._dynamodb.scan(**request))


def _raw(answer: Any) -> bytes:
    raw = answer.get("RawBody")
    # A client of another protocol than JSON parses the answer; its bytes fields encode back to the same base64.
    return raw if isinstance(raw, bytes) else msgspec.json.encode(answer)


def _page(body: bytes) -> Page:
    raw = _pages.decode(body)
    # DynamoDB sends no line breaks, and looking for one in the whole page costs next to nothing.
    items = [_one_line(item) for item in raw.items] if b"\n" in body else raw.items
    cursor = {"key": raw.last_evaluated_key} if raw.last_evaluated_key else None
    return Page(items, raw.count, raw.scanned_count, cursor, raw.consumed_capacity.capacity_units)


def _one_line(item: msgspec.Raw) -> bytes:
    line = bytes(item)
    return line if b"\n" not in line else msgspec.json.encode(msgspec.json.decode(line))
