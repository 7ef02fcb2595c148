"""The table of the faults' results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tests.faults.suite import Row


def by_fault(rows: Sequence[Row]) -> list[Row]:
    """The rounds of each fault as one row."""
    found: dict[str, Row] = {}
    for row in rows:
        found[row.fault] = found[row.fault].plus(row) if row.fault in found else row
    return list(found.values())


def table(rows: Sequence[Row], caption: str) -> Table:
    """A row for each fault, and their sum; it fits a terminal of 80 columns."""
    shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), caption=caption)
    shown.caption_justify = "left"
    shown.add_column("Fault", no_wrap=True)
    for name in ("Injected", "Runs", "Lost", "Duplicated", "Wrong", "Both"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in by_fault(rows):
        shown.add_row(row.fault, *_figures(row), style="bold red" if row.findings else None)
    shown.add_section()
    shown.add_row("all", *_figures(reduce(Row.plus, rows, Row("all"))), style="bold")
    return shown


def _figures(row: Row) -> list[str]:
    return [f"{each:,}" for each in (row.injected, row.runs, *row.count.figures)]
