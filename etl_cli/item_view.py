"""Items of DynamoDB JSON as people read them, two of them side by side."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

Wire = dict[str, Any]
"""An attribute value of DynamoDB JSON, such as {"N": "12.50"}; binaries are bytes."""


_NESTED = ("M", "L")


def shown(value: Wire) -> str:
    """An attribute value in one line; members of sets are in order, and maps begin with what isn't nested."""
    ((kind, content),) = value.items()
    return _SHOWN[kind](content)


def _map(content: dict[str, Wire]) -> str:
    names = sorted(content, key=lambda name: (not content[name].keys().isdisjoint(_NESTED), name))
    return "{" + ", ".join(f"{name}: {shown(content[name])}" for name in names) + "}"


def _list(content: list[Wire]) -> str:
    return "[" + ", ".join(map(shown, content)) + "]"


def _text(content: str) -> str:
    return " ".join(content.split()) or '""'


def _binary(content: bytes) -> str:
    return b64encode(content).decode()


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
    "BS": _set(_binary, bytes),
}


def side_by_side(before: dict[str, Wire], after: dict[str, Wire], titles: tuple[str, str], width: int) -> Table:
    """Two items as a table: what stayed is quiet, what came is green, what went is yellow.

    Args:
        before: the one on the left.
        after: the one on the right.
        titles: of the two.
        width: of the table, in characters.
    """
    names = sorted(before, key=_keys_first) + sorted(after.keys() - before.keys())
    first = max(map(len, names))
    half = max(8, (width - first - 11) // 2)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2)
    table.add_column(width=first, no_wrap=True)
    table.add_column(width=4, no_wrap=True)
    table.add_column(width=half, no_wrap=True, overflow="ellipsis")
    table.add_column(width=half, no_wrap=True, overflow="ellipsis")
    table.add_row("", "", "", Text(titles[0], "dim"), Text(titles[1], "dim"))
    for name in names:
        old, new = before.get(name), after.get(name)
        kind = next(iter(new or old or {}), "")
        mark, style = ("", "") if old == new or (old and new and shown(old) == shown(new)) else ("~", "yellow")
        if old is None:
            mark, style = "+", "green"
        elif new is None:
            mark, style = "-", "yellow"
        table.add_row(
            Text(f"{mark:>2}", style),
            Text(name, style),
            Text(kind, "dim"),
            Text(shown(old) if old else ""),
            Text(shown(new), style) if new else Text("left out", "dim"),
        )
    return table


def _keys_first(name: str) -> tuple[bool, bool, str]:
    return name != "id", name != "timestamp", name
