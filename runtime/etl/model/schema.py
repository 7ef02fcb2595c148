"""The attributes that the pipeline itself uses: the keys of both tables, and the time of an item.

No other module names them. Source: ``docs/specification.md``, ``etl-source-data`` and ``etl-destination-data``.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import msgspec

SOURCE_KEY = "id"
"""The partition key of the source table, text."""

TIME = "timestamp"
"""The attribute with the time of an item's last change."""

DESTINATION_KEY: tuple[str, ...] = ("id", "timestamp")
"""The partition key and the sort key of the destination table, both text. A table may have no sort key."""

KEYS_FIRST = tuple(dict.fromkeys((SOURCE_KEY, TIME, *DESTINATION_KEY)))
"""The attributes to show first."""

Key = tuple[str, ...]
"""The values of ``DESTINATION_KEY`` in a record."""

key_of: Callable[[Mapping[str, Any]], Key] = (
    itemgetter(*DESTINATION_KEY) if len(DESTINATION_KEY) > 1 else lambda record: (record[DESTINATION_KEY[0]],)
)
"""The key of a record of plain JSON. Raises KeyError if an attribute is missing."""


class WireText(msgspec.Struct, frozen=True):
    """A text of DynamoDB JSON, ``{"S": "..."}``; empty for any other type."""

    text: str = msgspec.field(name="S", default="")


def reader(*names: str, wire: bool) -> Callable[[bytes | msgspec.Raw], Key]:
    """Make a function that reads a few text attributes of an item or record, and skips the rest of its JSON.

    With ``wire`` an attribute that is missing or isn't text is read as empty. Otherwise the function raises
    msgspec.ValidationError.

    Args:
        names: the attributes, in the order of the result.
        wire: whether to read DynamoDB JSON; plain JSON otherwise.
    """
    fields: list[Any] = [
        (f"field{number}", WireText, msgspec.field(name=name, default=WireText()))
        if wire
        else (f"field{number}", str, msgspec.field(name=name))
        for number, name in enumerate(names)
    ]
    decode = msgspec.json.Decoder(msgspec.defstruct("Attributes", fields)).decode
    if wire:
        return lambda line: tuple(value.text for value in msgspec.structs.astuple(decode(line)))
    return lambda line: msgspec.structs.astuple(decode(line))
