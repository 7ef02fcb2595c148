"""The differences between two items of DynamoDB JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.model.schema import SPECIFIED

_FIRST = SPECIFIED.shown_first

Wire = dict[str, Any]
"""An attribute value of DynamoDB JSON, such as {"N": "12.50"}; binaries are base64."""

Item = dict[str, Wire]


@dataclass(frozen=True)
class Change:
    """An attribute of an item, or a value within it, before and after."""

    path: str  # its place in the item: ``size``, ``customer.email``, ``lines[0].price``
    before: Wire | None  # None for a new attribute
    after: Wire | None  # None for a removed attribute

    @property
    def mark(self) -> str:
        """``+`` for a new attribute, ``-`` for a removed one, ``~`` for another value, empty for the same value."""
        if self.before is None:
            return "+"
        if self.after is None:
            return "-"
        return "" if same(self.before, self.after) else "~"

    @property
    def kind(self) -> str:
        """The type of the value in DynamoDB, such as ``N``."""
        return next(iter(self.after or self.before or {}), "")


def same(one: Wire, other: Wire) -> bool:
    """Whether two values are equal to DynamoDB: numbers in any notation, sets in any order."""
    return one == other or _comparable(one) == _comparable(other)


def _comparable(value: Wire) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "M":
            content = {name: _comparable(each) for name, each in content.items()}
        case "L":
            content = [_comparable(each) for each in content]
        case "N":
            content = Decimal(content)
        case "NS":
            content = set(map(Decimal, content))
        case "SS" | "BS":
            content = set(content)
    return kind, content


def compare(before: Item, after: Item, first: Sequence[str] = _FIRST) -> Iterator[Change]:
    """Compare two items: the attributes of the first, some of them at the head, then the new ones.

    A change within a map, or a list of the same length, has a path of its own. Equal values there are left out.
    """
    names = sorted(before, key=some_first(first)) + sorted(after.keys() - before.keys())
    return (change for name in names for change in _within(name, before.get(name), after.get(name)))


def changes(before: Item, after: Item) -> Iterator[Change]:
    """The differences between two items, in the order of `compare`."""
    return (change for change in compare(before, after) if change.mark)


def differ(before: Item, after: Item) -> bool:
    """Whether two items differ."""
    return any(True for _ in changes(before, after))


def some_first(first: Sequence[str]) -> Callable[[str], tuple[int, str]]:
    """The sorting key of an attribute's name: these come first, the others follow by name."""
    return lambda name: (first.index(name) if name in first else len(first), name)


def _within(path: str, before: Wire | None, after: Wire | None) -> Iterator[Change]:
    if before is None or after is None or before.keys() != after.keys() or same(before, after):
        yield Change(path, before, after)
    elif "M" in before:
        old, new = before["M"], after["M"]
        for name in sorted(old.keys() | new.keys()):
            yield from _differing(f"{path}.{name}", old.get(name), new.get(name))
    elif "L" in before and len(before["L"]) == len(after["L"]):
        for position, (one, other) in enumerate(zip(before["L"], after["L"], strict=True)):
            yield from _differing(f"{path}[{position}]", one, other)
    else:
        yield Change(path, before, after)


def _differing(path: str, before: Wire | None, after: Wire | None) -> Iterator[Change]:
    return (change for change in _within(path, before, after) if change.mark)
