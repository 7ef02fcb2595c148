"""Tables of one item, and of the differences between two."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from rich.console import Group, RenderableType

from etl.model.schema import SPECIFIED
from etl_cli.runs.item_changes import Change, Item, Wire, some_first
from etl_cli.terminal.console import Text
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import Grid
from etl_cli.terminal.printable import MOST_OF_VALUE, printable

# The most lines of one item: a map may have 40,000 names.
MOST_LINES = 200
_LONGEST_NAME = 28
_STYLES = {"": "", "~": "yellow", "+": "green", "-": "yellow"}


def value_text(value: Wire, most: int = MOST_OF_VALUE) -> str:
    """An attribute value in one printable line; sets are sorted, and maps begin with plain values."""
    return printable(_text(value), most)


def _text(value: Wire) -> str:
    ((kind, content),) = value.items()
    match kind:
        case "M":
            names = sorted(content, key=lambda name: (next(iter(content[name])) in ("M", "L"), name))
            text = "{" + ", ".join(f"{name}: {value_text(content[name])}" for name in names) + "}"
        case "L":
            text = "[" + ", ".join(map(value_text, content)) + "]"
        case "SS" | "BS" | "NS":
            members = sorted(content, key=Decimal if kind == "NS" else str)
            text = "{" + ", ".join(each or '""' for each in members) + "}"
        case "BOOL":
            text = "true" if content else "false"
        case "NULL":
            text = "null"
        case _:
            text = content or '""'
    return text


def changes_table(found: Iterable[Change], titles: tuple[str, str], width: int) -> Group:
    """Differences as a table with two columns of values, each in as many lines as it takes."""
    rest = iter(found)
    listed = list(islice(rest, MOST_LINES))
    first = _first_width((change.path for change in listed), width)
    half = max(8, (width - first - 11) // 2)
    head = _table(2, first, 4, half, half)
    head.add_row("", "", "", *(Text(title, "dim") for title in titles))
    return Group(head, *(_change_row(change, first, half) for change in listed), *_more(sum(1 for _ in rest)))


def _change_row(change: Change, first: int, half: int) -> Grid:
    """A line of `changes_table`; a long value that stayed takes both columns."""
    style = _STYLES[change.mark]
    heads = Text(f"{change.mark:>2}", style), Text(change.path, style), Text(change.kind, "dim")
    before = Text(value_text(change.before) if change.before else "")
    if not change.mark and before.cell_len > half:
        row = _table(2, first, 4, 2 * half + 1)
        row.add_row(*heads, before)
        return row
    after = Text(value_text(change.after), style) if change.after else Text("left out", "dim")
    row = _table(2, first, 4, half, half)
    row.add_row(*heads, before, after if change.mark else Text("=", "dim"))
    return row


def item_table(item: Item, width: int, first: Sequence[str] = SPECIFIED.shown_first) -> Group:
    """One item as a table of names, types and values; some attributes come first."""
    return _values_table(item, lambda value: (next(iter(value)), value_text(value)), width, first)


def record_table(record: dict[str, Any], width: int, first: Sequence[str] = SPECIFIED.shown_first) -> Group:
    """One record of plain JSON as a table of names and values; some attributes come first."""
    return _values_table(record, lambda value: ("", printable(_json_text(value), MOST_OF_VALUE)), width, first)


def _json_text(value: Any) -> str:
    """A value of plain JSON; Decimals become numbers with every digit."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json_text(name)}: {_json_text(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_text, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _values_table(
    attributes: dict[str, Any], type_and_text: Callable[[Any], tuple[str, str]], width: int, first: Sequence[str]
) -> Group:
    names = sorted(attributes, key=some_first(first))[:MOST_LINES]
    widest = _first_width(names, width)
    table = _table(2, widest, 4, max(8, width - widest - 9))
    for name in names:
        kind, text = type_and_text(attributes[name])
        table.add_row("", Text(name), Text(kind, "dim"), Text(text))
    return Group(table, *_more(len(attributes) - len(names)))


def _more(number: int) -> list[RenderableType]:
    return [Text(f"   and {plural(number, 'more line')}; --json has all of it", "dim")] if number else []


def _table(*widths: int) -> Grid:
    table = Grid()
    for width in widths:
        table.text(width=width)
    return table


def _first_width(names: Iterable[str], width: int) -> int:
    return min(max((Text(name).cell_len for name in names), default=0), max(_LONGEST_NAME, width // 3))
