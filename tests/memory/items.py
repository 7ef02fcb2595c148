"""A source table that makes its items when they are read, and a destination that compares them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from bench.shapes import MOST_ITEM_BYTES, Shape

# Sources: DynamoDB API reference, Scan, BatchGetItem and BatchWriteItem.
_PAGE_BYTES = 1024 * 1024
_ANSWER_BYTES = _REQUEST_BYTES = 16 * 1024 * 1024
_MOST_PUTS, _MOST_KEYS = 25, 100

Fields = dict[str, msgspec.Raw]


class _Put(msgspec.Struct):
    item: Fields = msgspec.field(name="Item")


class _Request(msgspec.Struct):
    put: _Put = msgspec.field(name="PutRequest")


class _Write(msgspec.Struct):
    tables: dict[str, list[_Request]] = msgspec.field(name="RequestItems")


_writes, _fields = msgspec.json.Decoder(_Write), msgspec.json.Decoder(Fields)


class RefusalError(Exception):
    """A request that DynamoDB would refuse."""


@dataclass
class Items:
    """Both tables of one run.

    Attributes:
        shapes: of the source table's items, in turn.
        number: how many items the source table has.
        spoilt: changes a line of the source table, such as for Transform to reject it.
        written: ids of the items that the destination table was given.
        wrong: ids of those that aren't the source table's.
    """

    shapes: Sequence[Shape]
    number: int
    spoilt: Callable[[bytes], bytes] = lambda line: line
    written: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def line(self, position: int) -> bytes:
        """The item at a position of the source table."""
        return self.spoilt(self._shape(position).line(position))

    def _shape(self, position: int) -> Shape:
        return self.shapes[position % len(self.shapes)]

    def scan(self, request: dict[str, Any]) -> bytes:
        """A page: as many items as DynamoDB puts into 1 MB."""
        start = int(request.get("ExclusiveStartKey", {}).get("id", {"S": "-0"})["S"].rpartition("-")[2])
        end, size = start, 0
        while end < self.number and (not size or size + self._shape(end).item_bytes <= _PAGE_BYTES):
            size += self._shape(end).item_bytes
            end += 1
        kept = request["ExpressionAttributeNames"].values() if "ProjectionExpression" in request else None
        page = b",".join(_projected(self.line(each), kept) for each in range(start, end))
        last = b',"LastEvaluatedKey":{"id":{"S":"item-%d"}}' % end if end < self.number else b""
        return b'{"Items":[%b],"Count":%d,"ScannedCount":%d%b,"ConsumedCapacity":{"CapacityUnits":%d.0}}' % (
            page,
            end - start,
            end - start,
            last,
            size // 8192 + 1,
        )

    def get(self, key: dict[str, Any]) -> bytes:
        """The answer with one item of the source table."""
        return b'{"Item":%b}' % self.line(_position(key["id"]["S"]))

    def batch_get(self, request: dict[str, Any]) -> bytes:
        """As many items of the source table as DynamoDB puts into an answer."""
        ((table, wanted),) = request["RequestItems"].items()
        keys = wanted["Keys"]
        if not 1 <= len(keys) <= _MOST_KEYS:
            raise RefusalError(f"{len(keys)} keys")
        taken: list[bytes] = []
        size = 0
        while len(taken) < len(keys):
            position = _position(keys[len(taken)]["id"]["S"])
            size += self._shape(position).item_bytes
            if size > _ANSWER_BYTES:
                break
            taken.append(self.line(position))
        left = {table: wanted | {"Keys": keys[len(taken) :]}} if len(taken) < len(keys) else {}
        return b'{"Responses":{"%b":[%b]},"UnprocessedKeys":%b,"ConsumedCapacity":[{"CapacityUnits":%d.0}]}' % (
            table.encode(),
            b",".join(taken),
            json.dumps(left).encode(),
            size // 4096 + 1,
        )

    def write(self, body: bytes) -> bytes:
        """Compare the items of a BatchWriteItem with those of the source table."""
        ((_, requests),) = _writes.decode(body).tables.items()
        sizes = [self._shape(_position(_identity(each.put.item))).item_bytes for each in requests]
        if not 1 <= len(requests) <= _MOST_PUTS or sum(sizes) > _REQUEST_BYTES or max(sizes) > MOST_ITEM_BYTES:
            raise RefusalError(f"{len(requests)} puts of {sum(sizes):,} bytes")
        for each in requests:
            identity = _identity(each.put.item)
            self.written.add(identity)
            if not _same(each.put.item, _fields.decode(self.line(_position(identity)))):
                self.wrong.append(identity)
        return b'{"UnprocessedItems":{},"ConsumedCapacity":[{"CapacityUnits":%d.0}]}' % (sum(sizes) // 1024 + 1)

    def ids(self) -> Iterator[str]:
        """Ids of the source table."""
        return (_identity(_fields.decode(self.line(each))) for each in range(self.number))


def _projected(line: bytes, names: Any) -> bytes:
    if names is None:
        return line
    return msgspec.json.encode({name: value for name, value in _fields.decode(line).items() if name in names})


def _position(identity: str) -> int:
    return int(identity.rpartition("-")[2])


def _identity(fields: Fields) -> str:
    return str(json.loads(bytes(fields["id"]))["S"])


def _same(found: Fields, expected: Fields) -> bool:
    """Whether two items are equal to DynamoDB, a null in a map being as good as none."""
    if found.keys() != expected.keys():
        return False
    return all(
        bytes(found[name]) == bytes(each) or _plain(json.loads(bytes(found[name]))) == _plain(json.loads(bytes(each)))
        for name, each in expected.items()
    )


def _plain(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "M":
        return kind, {name: _plain(each) for name, each in content.items() if "NULL" not in each}
    if kind == "L":
        return kind, [_plain(each) for each in content]
    if kind == "N":
        return kind, Decimal(content)
    if kind in ("SS", "BS", "NS"):
        return kind, set(map(Decimal, content)) if kind == "NS" else set(content)
    return kind, content
