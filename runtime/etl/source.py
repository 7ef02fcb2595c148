"""The source table, read page by page as the bytes that DynamoDB sent."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from etl.timestamps import window_filter

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class _RawPage(msgspec.Struct, rename="pascal"):
    items: list[msgspec.Raw]
    count: int
    scanned_count: int
    last_evaluated_key: dict[str, Any] | None = None


_pages = msgspec.json.Decoder(_RawPage)


class Page(NamedTuple):
    """One page of a Scan.

    Attributes:
        items: each item as DynamoDB sent it, one line of DynamoDB JSON.
        read: how many items there are, as DynamoDB counted them.
        scanned: items that DynamoDB read for the page, before its filter.
        last_key: where the next page starts, in DynamoDB JSON; None on the last page.
    """

    items: Sequence[bytes]
    read: int
    scanned: int
    last_key: dict[str, Any] | None


class SourceTable:
    """The source table.

    Args:
        dynamodb: client of DynamoDB, made by ``etl.aws.dynamodb_client``.
        name: name of the table.
    """

    def __init__(self, dynamodb: "DynamoDBClient", name: str) -> None:
        self._dynamodb = dynamodb
        self._name = name

    def segments(self, segment_bytes: int, most: int) -> int:
        """How many segments to read the table in: one for each ``segment_bytes`` of it, at most ``most``.

        The size that DynamoDB tells is up to six hours old. A table that has grown since takes longer and is
        read whole all the same.
        """
        size = self._dynamodb.describe_table(TableName=self._name)["Table"].get("TableSizeBytes", 0)
        return max(1, min(most, math.ceil(size / segment_bytes)))

    def pages(
        self,
        start: str,
        end: str,
        segment: int,
        segments: int,
        key: dict[str, Any] | None,
        allows_another: Callable[[], bool] = lambda: True,
    ) -> Iterator[Page]:
        """The pages of one segment with the items of the window ``[start, end)`` and those without a usable time.

        The next page is fetched while the caller works on this one; its failure is raised after that.

        Args:
            start: first instant of the window, ``2024-01-15T00:00:00Z``.
            end: first instant after it.
            segment: number of the segment, from 0.
            segments: number of segments that the table is read in.
            key: ``last_key`` of the page to go on after; None for the segment's beginning.
            allows_another: asked before each page but the first is fetched; no page is fetched in vain.
        """
        request = {"TableName": self._name, "Segment": segment, "TotalSegments": segments, **window_filter(start, end)}
        with ThreadPoolExecutor(1, thread_name_prefix="scan") as reader:
            fetched = reader.submit(self._scan, request | ({"ExclusiveStartKey": key} if key else {}))
            while True:
                page = _page(fetched.result())
                goes_on = bool(page.last_key) and allows_another()
                if goes_on:
                    fetched = reader.submit(self._scan, request | {"ExclusiveStartKey": page.last_key})
                yield page
                if not goes_on:
                    return

    def _scan(self, request: dict[str, Any]) -> bytes:
        answer = self._dynamodb.scan(**request)
        raw = answer.get("RawBody")
        # A botocore without the hook parses the answer; its bytes fields encode back to the same base64.
        return raw if isinstance(raw, bytes) else msgspec.json.encode(answer)


def _page(body: bytes) -> Page:
    raw = _pages.decode(body)
    # DynamoDB sends no line breaks, and looking for one in the whole page costs next to nothing.
    items = [_one_line(item) for item in raw.items] if b"\n" in body else raw.items
    return Page(items, raw.count, raw.scanned_count, raw.last_evaluated_key)


def _one_line(item: msgspec.Raw) -> bytes:
    line = bytes(item)
    return line if b"\n" not in line else msgspec.json.encode(msgspec.json.decode(line))
