"""Tables that cut nothing off, and their width.

Numbers, durations, dollars, times and names to copy stay whole, in one line. Text wraps. On a narrow terminal a table
takes the first of its shapes that fits. If none fits, its lines are longer than the terminal, which breaks them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table

from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.printable import MOST_OF_VALUE, printable, wrapped

WIDEST = 110
NARROWEST = 78
# The least width of a column of text, or that of its longest word if that is less.
_LEAST_TEXT = 16
_ANY_WIDTH = 1_000_000

Side = Literal["left", "right"]


def table_width(console: Terminal) -> int:
    """A readable width for a table of items; a narrower terminal breaks its lines."""
    return min(max(console.width, NARROWEST), WIDEST)


def readable(console: Terminal, text: str, indent: int = 0) -> list[str]:
    """A text in lines of a readable width, which have room for an indentation."""
    return wrapped(text, min(console.width, WIDEST) - indent)


class Grid(Table):
    """A table without lines, with whole columns and columns of text, and ``gap`` blanks between them."""

    def __init__(self, gap: int = 1) -> None:
        super().__init__(
            box=None, padding=(0, gap), collapse_padding=True, pad_edge=False, show_header=False, show_edge=False
        )

    def whole(self, side: Side = "left", *, style: str = "", least: int | None = None) -> None:
        """Add a column that is never broken, of at least the width ``least``."""
        self.add_column(justify=side, style=style, min_width=least, no_wrap=True)

    def text(self, side: Side = "left", *, style: str = "", most: int | None = None, width: int | None = None) -> None:
        """Add a column of text, which wraps; a word longer than the column continues in the next line."""
        self.add_column(justify=side, style=style, max_width=most, width=width, overflow="fold")

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; a cell is cut like a value of an item, since it decides the width of all lines."""
        super().add_row(*map(_cut, cells), **options)

    def least_width(self, console: Console) -> int:
        """The width of the whole columns."""
        options = console.options.update(max_width=_ANY_WIDTH)
        return sum(self._least_width_of(console, options, column) for column in self.columns)

    def _least_width_of(self, console: Console, options: ConsoleOptions, column: Column) -> int:
        if column.width is not None:
            return column.width + self._get_padding_width(column._index)
        needed = self._measure_column(console, options, column)
        return needed.maximum if column.no_wrap else min(needed.minimum, _LEAST_TEXT)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Be as wide as the whole columns, even beyond the terminal."""
        wide = options.update(max_width=max(options.max_width, self.least_width(console)))
        yield from super().__rich_console__(console, wide)


def _cut(cell: RenderableType | None) -> RenderableType | None:
    if isinstance(cell, str):
        return printable(cell, MOST_OF_VALUE)
    if isinstance(cell, Text) and len(cell.plain) > MOST_OF_VALUE:
        return Text(printable(cell.plain, MOST_OF_VALUE), cell.style)
    return cell


def fitting(console: Console, width: int, shapes: Iterable[Grid]) -> Grid:
    """The first of a table's shapes that fits a width, or else the last; the best shape comes first."""
    for shape in shapes:
        if shape.least_width(console) <= width:
            break
    return shape
