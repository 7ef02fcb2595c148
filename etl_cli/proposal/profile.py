"""The profile of a sample: the attributes of its items, with the types and shapes of their values.

A map's attributes are profiled like an item's, and a list's elements together. A profile has bounds of its own,
whatever the items have: see ``MOST_NAMES``, ``MOST_DEPTH`` and ``MOST_DISTINCT``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from etl.values.attribute_values import Record, from_wire, type_name
from etl_cli.proposal.shapes import digits_of, shape_of

MOST_NAMES = 300
"""Attributes of an item, or of a map, that are profiled."""
MOST_DEPTH = 6
"""Levels of maps and lists that are profiled."""
MOST_ELEMENTS = 100
"""Elements of a list whose values are looked at. The types of all of them count."""
MOST_DISTINCT = 12
"""Different texts of an attribute that are kept. An attribute with more isn't one with few values."""
MOST_SHAPED = 200
"""Longer texts have no shape."""

# A map with so many different names, most of them rare, has data for names.
_MANY_NAMES, _RARE = 20, 0.5
_DATA_FOR_NAME = re.compile(r"@|[0-9]{6}|[0-9a-f]{8}-?[0-9a-f]{4}", re.IGNORECASE)


@dataclass
class Values:
    """The values of an attribute, or the elements of its lists.

    Attributes:
        count: their number.
        types: their number by DynamoDB's names of types.
        lengths: the shortest and the longest text, in characters.
        digits: the fewest and the most digits of a number.
        distinct: different texts with their numbers; None if there are more than ``MOST_DISTINCT``.
        shapes: the number of texts of each shape that looks like personal data.
        names: the attributes of their maps, by name.
        cut: whether the maps have more names than are profiled.
        elements: the elements of their lists.
    """

    count: int = 0
    types: Counter[str] = field(default_factory=Counter)
    lengths: tuple[int, int] | None = None
    digits: tuple[int, int] | None = None
    distinct: Counter[str] | None = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    names: dict[str, Values] = field(default_factory=dict)
    cut: bool = False
    elements: Values | None = None
    example: Any = None

    @property
    def keyed_by_data(self) -> bool:
        """Whether the names in their maps are data, such as the ids of customers."""
        if self.cut or any(map(_DATA_FOR_NAME.search, self.names)):
            return True
        shares = [each.count / self.types["M"] for each in self.names.values()]
        return len(shares) > _MANY_NAMES and median(shares) < _RARE

    def add(self, value: Any, depth: int = 0) -> None:
        """Add a value."""
        self.count += 1
        kind = type_name(value)
        self.types[kind] += 1
        if self.example is None and kind in ("S", "N"):
            self.example = value
        if kind == "S":
            self._add_text(value)
        elif kind == "N":
            self.digits = _widened(self.digits, digits_of(value))
        elif depth < MOST_DEPTH and kind == "M":
            self._add_map(value, depth)
        elif depth < MOST_DEPTH and kind == "L":
            self._add_list(value, depth)

    def _add_text(self, text: str) -> None:
        self.lengths = _widened(self.lengths, len(text))
        if len(text) <= MOST_SHAPED and (shape := shape_of(text)):
            self.shapes[shape] += 1
        if self.distinct is not None:
            self.distinct[text[: MOST_SHAPED + 1]] += 1
            if len(self.distinct) > MOST_DISTINCT:
                self.distinct = None

    def _add_list(self, content: list[Any], depth: int) -> None:
        self.elements = elements = self.elements or Values()
        for number, each in enumerate(content):
            if number < MOST_ELEMENTS or type(each) in (dict, list):
                elements.add(each, depth + 1)
            else:
                elements.count += 1
                elements.types[type_name(each)] += 1

    def _add_map(self, content: Record, depth: int) -> None:
        for name, value in content.items():
            if name not in self.names:
                if len(self.names) == MOST_NAMES:
                    self.cut = True
                    continue
                self.names[name] = Values()
            self.names[name].add(value, depth + 1)


@dataclass(frozen=True)
class Profile:
    """The profile of items; ``root`` is that of the items themselves, as maps."""

    items: int
    root: Values

    def at(self, path: Iterable[str]) -> Values | None:
        """The values at a path; None if no item has it."""
        found: Values | None = self.root
        for name in path:
            found = found.names.get(name) if found else None
        return found

    def share(self, path: tuple[str, ...]) -> float:
        """The share of the items that have a path."""
        found = self.at(path)
        return found.count / self.items if found and self.items else 0.0

    def paths(self) -> Iterator[tuple[tuple[str, ...], Values]]:
        """All paths into maps, outer ones first; none into lists, or into maps whose names are data."""
        yield from _paths(self.root, ())


def profile_of(records: Iterable[Record]) -> Profile:
    """Profile items."""
    root = Values()
    for record in records:
        root.add(record)
    return Profile(root.count, root)


def decoded(lines: Iterable[bytes]) -> Iterator[Record]:
    """The items of lines of DynamoDB JSON, one at a time."""
    for line in lines:
        yield from from_wire(b"[" + line + b"]")


def _paths(values: Values, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Values]]:
    for name, each in values.names.items():
        path = (*above, name)
        yield path, each
        if each.names and not each.keyed_by_data:
            yield from _paths(each, path)


def _widened(bounds: tuple[int, int] | None, amount: int) -> tuple[int, int]:
    least, most = bounds or (amount, amount)
    return min(least, amount), max(most, amount)
