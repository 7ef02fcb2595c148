"""How wide tables are."""

from __future__ import annotations

from etl_cli.console import Terminal

WIDEST = 110
NARROWEST = 78


def table_width(console: Terminal) -> int:
    """A width that a table of items can be read at: a narrower terminal breaks its lines."""
    return min(max(console.width, NARROWEST), WIDEST)
