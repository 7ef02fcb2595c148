"""Parts of several views: titled sections, and tables of aggregates and of sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.console import RenderableType

from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import NARROWEST, Grid, fitting


def section(title: str, *body: RenderableType) -> list[RenderableType]:
    """A part of a view below its title."""
    return ["", Text(f"  {title}", "bold"), *body]


def print_title(console: Terminal, title: str) -> None:
    """Print the title of a section."""
    for line in section(title):
        console.print(line, soft_wrap=True)


def print_section(console: Terminal, title: str, lines: Iterable[Text | str]) -> None:
    """Print lines below a title, if there are any. They are never broken, so that they can be copied."""
    for number, line in enumerate(lines):
        if number == 0:
            print_title(console, title)
        console.print(Text.assemble("  ", line), soft_wrap=True)


def aggregate_section(
    console: Terminal, width: int, aggregate: dict[str, Any], most: int, shown: Callable[[Any], str]
) -> list[RenderableType]:
    """An aggregate with at most ``most`` groups, whose values are made text by ``shown``."""
    groups, left_out = aggregate["groups"], aggregate.get("groups_left_out", 0)
    title = f"Aggregate {aggregate['name']}"
    if not groups:
        return section(title, Text(f"  {plural(left_out, 'group')}" if left_out else "  no records", "dim"))
    shapes = (_groups(aggregate, groups[:most], shown, whole=whole) for whole in (True, False))
    parts = section(title, fitting(console, width, shapes))
    if len(groups) > most:
        parts.append(Text(f"  and {plural(len(groups) - most, 'more group')}", "dim"))
    return parts


def _groups(
    aggregate: dict[str, Any], groups: Sequence[dict[str, Any]], shown: Callable[[Any], str], *, whole: bool
) -> Grid:
    """A line for each group; an average may have 38 digits, and take a second line."""
    table = Grid(gap=2)
    for name in ("", *groups[0]):
        if name in aggregate["by"]:
            table.text()
        else:
            (table.whole if whole else table.text)("right")
    table.add_row("", *(Text(name, "dim") for name in groups[0]))
    for group in groups:
        table.add_row("", *map(shown, group.values()))
    return table


def print_sum(console: Terminal, rows: Sequence[Sequence[str]], columns: str) -> None:
    """Print rows: the first is the heads, the last the sum. Columns: l(eft), r(ight), t(ext) that wraps."""
    table = Grid(gap=3)
    for column in columns:
        if column == "t":
            table.text()
        else:
            table.whole("right" if column == "r" else "left")
    for number, (first, *cells) in enumerate(rows, 1):
        table.add_row(f"  {first}", *cells, style="dim" if number == 1 else "bold" if number == len(rows) else "")
    console.print(table, width=max(console.width, NARROWEST), soft_wrap=False)
