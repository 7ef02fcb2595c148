"""The size that a record of Python values has as an item of DynamoDB.

Sources: DynamoDB Developer Guide, "DynamoDB item sizes and formats", and "Quotas", Item size.
"""

from collections.abc import Mapping
from typing import Any

MAX_ITEM_BYTES = 400 * 1024
_CONTAINER_BYTES = 3
_ENTRY_BYTES = 1


def least_size(record: Mapping[str, Any]) -> int:
    """The least bytes that DynamoDB counts for a record: its formula for numbers is an approximation.

    None doesn't count as an attribute or as a value of a map, since Load leaves it out.
    """
    return sum(_text(name) + _value(value) for name, value in record.items() if value is not None)


def _value(value: Any) -> int:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Mapping):
        return _CONTAINER_BYTES + least_size(value) + _ENTRY_BYTES * sum(each is not None for each in value.values())
    if isinstance(value, list):
        return _CONTAINER_BYTES + sum(map(_value, value)) + _ENTRY_BYTES * len(value)
    if isinstance(value, (set, frozenset)):
        return sum(map(_value, value))
    return 1  # a number has a byte for two digits, and one more; a truth value and NULL have one


def _text(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
