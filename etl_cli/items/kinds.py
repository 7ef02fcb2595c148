"""In which way an item changes, in words: many items change in the same way."""

from __future__ import annotations

from itertools import islice

from etl_cli.items.local_transformation import Outcome
from etl_cli.runs.item import changes
from etl_cli.runs.phrases import UNTIMED
from etl_cli.runs.staged_record import before_and_after

# Ways that are told apart, and changes of one item that make up its way.
MOST_KINDS = 1_000
_MOST_CHANGES = 100
OTHER_KINDS = "in other ways"


def kind_of(outcome: Outcome) -> str:
    """In which way an item changes."""
    if outcome.fate != "transformed":
        return UNTIMED if outcome.fate == "untimed" else outcome.fate
    if len(outcome.records) > 1:
        return f"{len(outcome.records)} records each"
    by_mark: dict[str, list[str]] = {}
    found = changes(*before_and_after(outcome.line, outcome.records[0]))
    for change in islice(found, _MOST_CHANGES):
        by_mark.setdefault(change.mark, []).append(change.path)
    words = "  ".join(f"{mark} {', '.join(by_mark[mark])}" for mark in "~+-" if mark in by_mark) or "unchanged"
    return words if next(found, None) is None else f"{words}, and more"
