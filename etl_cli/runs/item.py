"""Items of DynamoDB JSON as people read them, two of them side by side, and what differs between them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from rich.console import Group, RenderableType

from etl_cli.terminal.console import Text
from etl_cli.terminal.grid import Grid
from etl_cli.terminal.printable import MOST_OF_VALUE, printable
from etl_cli.terminal.words import count

Wire = dict[str, Any]
"""An attribute value of DynamoDB JSON, such as {"N": "12.50"}; binaries are bytes, or base64."""

Item = dict[str, Wire]


# Lines of one item at most: a map of 40,000 names may have changed in each of them.
MOST_LINES = 200
_NESTED = ("M", "L")
_LONGEST_NAME = 28


def shown(value: Wire, most: int = MOST_OF_VALUE) -> str:
    """An attribute value in one printable line; sets are in order, and maps begin with what isn't nested."""
    ((kind, content),) = value.items()
    return printable(_SHOWN[kind](content), most)


def _map(content: dict[str, Wire]) -> str:
    names = sorted(content, key=lambda name: (not content[name].keys().isdisjoint(_NESTED), name))
    return "{" + ", ".join(f"{name}: {shown(content[name])}" for name in names) + "}"


def _list(content: list[Wire]) -> str:
    return "[" + ", ".join(map(shown, content)) + "]"


def _text(content: str) -> str:
    return content or '""'


def _binary(content: bytes | str) -> str:
    return content if isinstance(content, str) else b64encode(content).decode()


def _set(member: Callable[[Any], str], order: Callable[[Any], Any]) -> Callable[[list[Any]], str]:
    return lambda content: "{" + ", ".join(member(each) for each in sorted(content, key=order)) + "}"


_SHOWN: dict[str, Callable[[Any], str]] = {
    "S": _text,
    "N": str,
    "B": _binary,
    "BOOL": lambda content: "true" if content else "false",
    "NULL": lambda _: "null",
    "M": _map,
    "L": _list,
    "SS": _set(_text, str),
    "NS": _set(str, Decimal),
    "BS": _set(_binary, _binary),
}


@dataclass(frozen=True)
class Change:
    """One attribute of an item, or one value within it, before and after.

    Attributes:
        path: where it is: ``size``, ``customer.email``, ``lines[0].price``.
        before: None if it came.
        after: None if it went.
    """

    path: str
    before: Wire | None
    after: Wire | None

    @property
    def mark(self) -> str:
        """``+`` for what came, ``-`` for what went, ``~`` for what is another, empty for what stayed."""
        if self.before is None:
            return "+"
        if self.after is None:
            return "-"
        return "" if same(self.before, self.after) else "~"


def same(one: Wire, other: Wire) -> bool:
    """Whether two attribute values are equal to DynamoDB: a number however written, a set in any order."""
    return one == other or _comparable(one) == _comparable(other)


def _comparable(value: Wire) -> Any:
    ((kind, content),) = value.items()
    if kind == "M":
        return kind, {name: _comparable(each) for name, each in content.items()}
    if kind == "L":
        return kind, [_comparable(each) for each in content]
    if kind == "N":
        return kind, Decimal(content)
    if kind == "NS":
        return kind, set(map(Decimal, content))
    if kind in ("B", "BS"):
        return kind, _SHOWN[kind](content)
    return kind, set(content) if kind == "SS" else content


def compare(before: Item, after: Item) -> Iterator[Change]:
    """All attributes of two items: those of the first, the key at their head, then those that came.

    What changed within a map, or a list of the same length, is told by its path, and what stayed there isn't.
    """
    return (change for name in _names(before, after) for change in _within(name, before.get(name), after.get(name)))


def changes(before: Item, after: Item) -> Iterator[Change]:
    """What differs between two items, in the order of `compare`."""
    return (change for change in compare(before, after) if change.mark)


def differ(before: Item, after: Item) -> bool:
    """Whether anything differs between two items."""
    return any(True for _ in changes(before, after))


def _names(before: Item, after: Item) -> list[str]:
    return sorted(before, key=_keys_first) + sorted(after.keys() - before.keys())


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


def whole(found: Iterable[Change], titles: tuple[str, str], width: int) -> Group:
    """What `compare` or `changes` found as a table, a value in as many lines as it takes; what stayed is told once.

    Args:
        found: a line each.
        titles: of the item on the left, and of the one on the right.
        width: of the table, in characters.
    """
    rest = iter(found)
    told = list(islice(rest, MOST_LINES))
    first = _first_width((change.path for change in told), width)
    half = max(8, (width - first - 11) // 2)
    titled = _table(2, first, 4, half, half)
    titled.add_row("", "", "", *(Text(title, "dim") for title in titles))
    return Group(titled, *(_row(change, first, half) for change in told), *_more(sum(1 for _ in rest)))


def _row(change: Change, first: int, half: int) -> Grid:
    """A line of `whole`: a long value that stayed has both columns."""
    before = Text(shown(change.before) if change.before else "")
    if not change.mark and before.cell_len > half:
        row = _table(2, first, 4, 2 * half + 1)
        row.add_row(*_heads(change), before)
        return row
    after = Text(shown(change.after), _STYLES[change.mark]) if change.after else Text("left out", "dim")
    row = _table(2, first, 4, half, half)
    row.add_row(*_heads(change), before, after if change.mark else Text("=", "dim"))
    return row


def alone(item: Item, width: int) -> Group:
    """One item as a table, a value in as many lines as it takes.

    Args:
        item: the item.
        width: of the table, in characters.
    """
    return _list_of_values(item, lambda value: (next(iter(value)), shown(value)), width)


def alone_plain(record: dict[str, Any], width: int) -> Group:
    """One record of plain JSON as a table, like an item with `alone`, each value as JSON writes it."""
    return _list_of_values(record, lambda value: ("", printable(_as_json(value), MOST_OF_VALUE)), width)


def _as_json(value: Any) -> str:
    """A value of plain JSON, its Decimals as numbers with every digit."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_as_json(name)}: {_as_json(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _list_of_values(attributes: dict[str, Any], told: Callable[[Any], tuple[str, str]], width: int) -> Group:
    """A line for each name: the type, and the value in as many lines as it takes."""
    names = sorted(attributes, key=_keys_first)[:MOST_LINES]
    first = _first_width(names, width)
    table = _table(2, first, 4, max(8, width - first - 9))
    for name in names:
        kind, value = told(attributes[name])
        table.add_row("", Text(name), Text(kind, "dim"), Text(value))
    return Group(table, *_more(len(attributes) - len(names)))


def _more(number: int) -> list[RenderableType]:
    """How much of an item is left out; nothing if all of it is told."""
    return [Text(f"   and {count(number, 'more line')}; --json has all of it", "dim")] if number else []


_STYLES = {"": "", "~": "yellow", "+": "green", "-": "yellow"}


def _table(*widths: int) -> Grid:
    table = Grid()
    for width in widths:
        table.text(width=width)
    return table


def _first_width(names: Iterable[str], width: int) -> int:
    return min(max((Text(name).cell_len for name in names), default=0), max(_LONGEST_NAME, width // 3))


def _heads(change: Change) -> tuple[Text, Text, Text]:
    kind = next(iter(change.after or change.before or {}), "")
    style = _STYLES[change.mark]
    return Text(f"{change.mark:>2}", style), Text(change.path, style), Text(kind, "dim")


def _keys_first(name: str) -> tuple[bool, bool, str]:
    return name != "id", name != "timestamp", name
