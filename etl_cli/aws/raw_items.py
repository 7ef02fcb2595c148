"""Items of a table as bytes, as DynamoDB sends them.

botocore makes a dict of each value: a page of 1 MB with lists of truth values takes over 100 MB, and one item 75.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from etl.aws.raw_bodies import raw_body, take_raw_bodies
from etl_cli.aws.table_way import Side, table_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl_cli.aws.deployment import Deployment


class _Answer(msgspec.Struct, rename="pascal"):
    item: msgspec.Raw = msgspec.Raw(b"")
    items: list[msgspec.Raw] = []


class _Consumed(msgspec.Struct, rename="pascal", frozen=True):
    capacity_units: Decimal = Decimal(0)


class _Page(msgspec.Struct, rename="pascal"):
    items: list[msgspec.Raw] = []
    last_evaluated_key: dict[str, Any] | None = None
    consumed_capacity: _Consumed = _Consumed()


class ScannedPage(NamedTuple):
    """A page of a Scan: its items, a line of DynamoDB JSON each, the key to continue after, and the read units."""

    lines: list[bytes]
    cursor: dict[str, Any] | None
    units: Decimal


_answers = msgspec.json.Decoder(_Answer)
_pages = msgspec.json.Decoder(_Page)
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def raw_client(deployment: Deployment, about: Side) -> DynamoDBClient:
    """A client for a table whose answers to Scan, Query and GetItem are the bytes that DynamoDB sent."""
    client = table_client(deployment, about)
    take_raw_bodies(client, ("Scan", "Query", "GetItem"))
    return client


def items_of(answer: Any) -> list[bytes]:
    """The items of an answer to Query or GetItem, a line of DynamoDB JSON each."""
    found = _answers.decode(raw_body(answer))
    return [line for line in map(bytes, (found.item, *found.items)) if line]


def page_of(answer: Any) -> ScannedPage:
    """The page of an answer to Scan."""
    found = _pages.decode(raw_body(answer))
    return ScannedPage(list(map(bytes, found.items)), found.last_evaluated_key, found.consumed_capacity.capacity_units)


def without_equal(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """Two items in the same kind of JSON without the attributes that are written alike, which needn't be decoded."""
    here, there = _attributes(one), _attributes(other)
    alike = {name for name, value in here.items() if name in there and bytes(there[name]) == bytes(value)}
    return _without(here, alike), _without(there, alike)


def _without(attributes: dict[str, msgspec.Raw], names: set[str]) -> bytes:
    return msgspec.json.encode({name: value for name, value in attributes.items() if name not in names})
