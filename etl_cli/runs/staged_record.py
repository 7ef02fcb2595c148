"""A record that Transform staged, as the item that Load writes: the functions' own code says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from etl_cli.runs.item import Item


def loaded_item(line: bytes) -> Item:
    """A line of plain JSON as an item of DynamoDB JSON, binaries in base64."""
    decode, to_wire = _functions_code()
    item: Item = json.loads(msgspec.json.encode(to_wire(decode(line))))
    return item


def before_and_after(read: bytes, made: bytes) -> tuple[Item, Item]:
    """An item and the record that it became, of a line each.

    The record comes first: to make it takes several times the memory of what it becomes.
    """
    after = loaded_item(made)
    before: Item = json.loads(read)
    return before, after


@cache
def _functions_code() -> tuple[Callable[[bytes], dict[str, Any]], Callable[[dict[str, Any]], Any]]:
    """What decodes a record, and what makes an item of it; commands that show none work if that code is broken."""
    from etl.values.attribute_values import Number, to_wire

    return msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode, to_wire
