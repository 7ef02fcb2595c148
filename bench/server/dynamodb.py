"""DynamoDB, as far as the variants use it: prebuilt pages of a Scan, and batches that are counted."""

import json
import re
import zlib
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from bench.dataset import SPARSE, pages, raw_lines
from bench.server.http import Request, Response
from bench.shaped_lines import shaped_pages

MOST_PUTS = 25  # Source: API reference of BatchWriteItem.
_JSON = b"content-type: application/x-amz-json-1.0\r\nx-amzn-requestid: bench\r\nx-amz-crc32: %d\r\n"
_CURSOR = re.compile(rb'"cursor-(\d+)"')
_PUT = b'"PutRequest"'


class _Page(NamedTuple):
    """A page without its end: the cursor, which differs, comes last, and the checksum goes on from here."""

    scanned: int
    body: bytes
    crc: int


class _Writes(msgspec.Struct, rename="pascal"):
    request_items: dict[str, list[msgspec.Raw]]


class DynamoDb:
    """One table to read and one to write, for one run of a variant.

    Args:
        items: number of items of the table that is read.
        dense: whether every item is in the window, else 1 in 100.
        trouble_every: of so many batches one comes back with unprocessed items; 0 for none.
        shape: name of the items' shape; empty for those of ``bench.dataset``.
    """

    def __init__(self, items: int = 0, *, dense: bool = True, trouble_every: int = 0, shape: str = "") -> None:
        self._every = 1 if dense else SPARSE
        self._pages = _table(items, self._every, shape)
        self._trouble_every = trouble_every
        self.scanned = self.written = self.requests = self.written_bytes = 0
        self.sample = b""

    def answer(self, request: Request) -> Response:
        """Answer a request to DynamoDB."""
        operation = request.headers[b"x-amz-target"].rpartition(b".")[2]
        if operation == b"Scan":
            return self._scan(request.body)
        if operation == b"BatchWriteItem":
            return self._batch_write(request.body)
        if operation == b"DescribeTable":
            return _answer(json.dumps({"Table": self._described(request.body)}).encode())
        return _error("UnknownOperationException", operation.decode())

    def _described(self, body: bytes) -> dict[str, Any]:
        keys = ("id", "timestamp")
        return {
            "TableName": json.loads(body)["TableName"],
            "TableStatus": "ACTIVE",
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=True)
            ],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
            "ItemCount": sum(page.scanned for page in self._pages),
            "TableSizeBytes": len(self._pages) * 1024 * 1024,
        }

    def _scan(self, body: bytes) -> Response:
        asked = json.loads(body)
        segments = asked.get("TotalSegments", 1)
        cursor = _CURSOR.search(body)
        number = int(cursor[1]) if cursor else asked.get("Segment", 0)
        if number >= len(self._pages):
            return _answer(b'{"Count":0,"Items":[],"ScannedCount":0}')
        page = self._pages[number]
        self.scanned += page.scanned
        after = number + segments
        end = b"}" if after >= len(self._pages) else _last_key(after)
        headers = _JSON % zlib.crc32(end, page.crc)
        return Response(headers=headers, body=(page.body, end))

    def _batch_write(self, body: bytes) -> Response:
        puts = body.count(_PUT)
        if not 1 <= puts <= MOST_PUTS or b'"RequestItems"' not in body[:4096] or body.count(b'"id"') != puts:
            return _error("ValidationException", f"a batch has 1 to {MOST_PUTS} puts, each with a key; got {puts}")
        self.requests += 1
        self.written_bytes += len(body)
        self.sample = self.sample or body
        left = b"{}"
        if self._trouble_every and self.requests % self._trouble_every == 0:
            writes = msgspec.json.decode(body, type=_Writes).request_items
            back = {table: requests[: len(requests) // 3] for table, requests in writes.items()}
            left = msgspec.json.encode({table: requests for table, requests in back.items() if requests})
            puts -= sum(map(len, back.values()))
        self.written += puts
        capacity = b""
        if b"ReturnConsumedCapacity" in body:
            capacity = b'"ConsumedCapacity":[{"TableName":"bench-destination","CapacityUnits":%d.0}],' % puts
        return _answer(b'{%s"UnprocessedItems":%s}' % (capacity, left))


def _table(items: int, every: int, shape: str) -> list[_Page]:
    distinct = shaped_pages(shape) if shape else _pages()
    whole = [_page(lines, every) for lines in distinct]
    table: list[_Page] = []
    while items > 0:
        position = len(table) % len(whole)
        lines = distinct[position]
        table.append(whole[position] if items >= len(lines) else _page(lines[:items], every))
        items -= len(lines)
    return table


def _pages() -> list[list[bytes]]:
    lines = iter(raw_lines())
    return [list(islice(lines, len(page))) for page in pages()]


def _page(lines: list[bytes], every: int) -> _Page:
    matching = lines[::every]
    body = b'{"Count":%d,"Items":[%s],"ScannedCount":%d' % (len(matching), b",".join(matching), len(lines))
    return _Page(len(lines), body, zlib.crc32(body))


def matching_items(items: int, *, dense: bool) -> int:
    """How many of a table's items are in the window."""
    every = 1 if dense else SPARSE
    counts = [len(page) for page in pages()]
    total = position = 0
    while items > 0:
        total += -(-min(items, counts[position]) // every)
        items -= counts[position]
        position = (position + 1) % len(counts)
    return total


def _last_key(page: int) -> bytes:
    return b',"LastEvaluatedKey":{"id":{"S":"cursor-%d"},"timestamp":{"S":"2026-11-22T02:00:00.000Z"}}}' % page


def _answer(body: bytes, status: int = 200) -> Response:
    return Response(status, _JSON % zlib.crc32(body), (body,))


def _error(code: str, message: str) -> Response:
    return _answer(json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode(), 400)
