"""The table that tells what came of each fault."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from rich.table import Table
from rich.text import Text

from tests.faults.suite import Row


def by_fault(rows: Sequence[Row]) -> list[Row]:
    """The rounds of each fault as one row."""
    found: dict[str, Row] = {}
    for row in rows:
        found[row.fault] = found[row.fault].plus(row) if row.fault in found else row
    return list(found.values())


def table(rows: Sequence[Row], caption: str) -> Table:
    """A row for each fault, and their sum."""
    shown = Table(caption=caption, caption_justify="left")
    shown.add_column("Fault")
    for name in ("Injected", "Runs", "Lost", "Duplicated", "Wrong", "In both"):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for row in by_fault(rows):
        result = Text("failed", "bold red") if row.findings else Text("survived", "green")
        shown.add_row(row.fault, *_figures(row), result)
    shown.add_section()
    shown.add_row("all", *_figures(reduce(Row.plus, rows, Row("all"))))
    return shown


def _figures(row: Row) -> list[str]:
    return [f"{each:,}" for each in (row.injected, row.runs, *row.count.figures)]
