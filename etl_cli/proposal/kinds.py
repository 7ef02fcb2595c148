"""The kinds of attributes: a key, a cursor, the type of an item, a TTL, personal data; and the types of the items."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from etl.model.keys import KeyAttributes, names_of
from etl.values.attribute_values import Record
from etl_cli.proposal.cursors import Reading
from etl_cli.proposal.profile import MOST_DISTINCT, Profile, Values
from etl_cli.proposal.shapes import personal_name

_EXPIRY = re.compile(r"(?:^|[^a-z])ttl(?:$|[^a-z])|expir", re.IGNORECASE)
_TYPE_NAME = re.compile(r"_*(?:entity|item|record|object|doc|document|row)?_?-?(?:type|kind|entity)(?:_?name)?_*", re.I)
# A word before a sign that ends it, or a word alone.
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*?(?:[#|:/]|\Z)")
# Items that must have a type, and the least number of items for each on average.
_NEARLY_ALL, _LEAST_OF_TYPE = 0.95, 2


@dataclass(frozen=True)
class EntityType:
    """A type of the items in a table: a value of an attribute, or the beginning of its values.

    Attributes:
        attribute: the name of the attribute.
        text: the value, or the prefix.
        is_prefix: whether it is a prefix.
        items: the number of sampled items.
    """

    attribute: str
    text: str
    is_prefix: bool
    items: int

    @property
    def label(self) -> str:
        """The type without the sign that ends the prefix."""
        return self.text.rstrip("#|:/") if self.is_prefix else self.text

    @property
    def filter(self) -> dict[str, Any]:
        """The source_filter that picks it."""
        expression = "begins_with(#type, :type)" if self.is_prefix else "#type = :type"
        return {"expression": expression, "names": {"#type": self.attribute}, "values": {":type": self.text}}

    def has(self, record: Record) -> bool:
        """Whether an item is of this type."""
        value = record.get(self.attribute)
        return isinstance(value, str) and (value.startswith(self.text) if self.is_prefix else value == self.text)


def entity_types(records: Callable[[], Iterable[Record]], profile: Profile, key: KeyAttributes) -> list[EntityType]:
    """The types of the items, the commonest first; none if all are of one type.

    They are told apart by the sort key's prefixes, or by the partition key's, or else by an attribute that is named
    like a type.
    """
    for name in reversed([each.name for each in key if each.type == "S"]):
        found = _by_prefix(records(), name, profile.items)
        if found:
            return found
    for name, values in profile.root.names.items():
        few = values.distinct
        if few and _TYPE_NAME.fullmatch(name) and _is_partition(few, profile.items) and not values.shapes:
            return [EntityType(name, text, False, number) for text, number in few.most_common()]
    return []


def _by_prefix(records: Iterable[Record], name: str, items: int) -> list[EntityType]:
    found: Counter[str] = Counter()
    for record in records:
        prefix = _PREFIX.match(str(record.get(name, "")))
        if prefix:
            found[prefix[0]] += 1
            if len(found) > MOST_DISTINCT:
                return []
    signed = any(text[-1] in "#|:/" for text in found)
    if not signed or not _is_partition(found, items):
        return []
    return [EntityType(name, text, text[-1] in "#|:/", number) for text, number in found.most_common()]


def _is_partition(found: Counter[str], items: int) -> bool:
    """Whether nearly all items have one of a few types, each of several items."""
    number = found.total()
    return (
        len(found) > 1 and number >= _NEARLY_ALL * items and number >= _LEAST_OF_TYPE * len(found) and "" not in found
    )


def is_expiry(path: tuple[str, ...], readings: Iterable[Reading]) -> bool:
    """Whether an attribute looks like a TTL: seconds since 1970, by its name or mostly in the future."""
    reading = next((each for each in readings if each.time.path == path), None)
    if reading is None or len(path) > 1 or reading.time.format != "epoch_s":
        return False
    return reading.is_expiry or bool(_EXPIRY.search(path[0]))


def personal(name: str, values: Values) -> str | None:
    """The personal data that an attribute looks like; None if it looks like none."""
    texts = values.types["S"]
    shape, number = next(iter(values.shapes.most_common(1)), (None, 0))
    if shape and 2 * number >= texts:
        return shape
    return personal_name(name)


def is_key(path: tuple[str, ...], key: KeyAttributes) -> bool:
    """Whether a path is an attribute of the key."""
    return len(path) == 1 and path[0] in names_of(key)
