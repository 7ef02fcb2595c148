"""The counts of a segment, which the state of an execution holds without their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

# In the order of the state; the functions have the same list.
COUNTS = (
    "scanned",
    "read",
    "read_units",
    "left",
    "extracted",
    "extract_parts",
    "extract_bytes",
    "transformed",
    "dropped",
    "rejected_transform",
    "records",
    "aggregate_records",
    "transform_parts",
    "transform_bytes",
    "transform_quarantine_parts",
    "loaded",
    "superseded",
    "rejected_load",
    "load_requests",
    "load_throttled",
    "write_units",
    "load_quarantine_parts",
    # A new one comes last, so that the others keep their positions.
    "ahead",
    "untimed",
)


UNTIMED = "without a time"
"""The words for items whose timestamp is no time. They lie in no window, so they count apart from rejected ones."""


def judged(counts: Mapping[str, int]) -> int:
    """How many items that a run read are its own: not those of a later run, nor those without a time."""
    return counts.get("read", 0) - counts.get("ahead", 0) - counts.get("untimed", 0)


def rejected(counts: Mapping[str, int]) -> int:
    """How many records the stages of a run rejected, by its counts."""
    return counts.get("rejected_transform", 0) + counts.get("rejected_load", 0)


def set_aside(counts: Mapping[str, int]) -> int:
    """How many records a run put into quarantine, by its counts."""
    return rejected(counts) + counts.get("untimed", 0)


def untimed_words(number: int) -> str:
    """The part of a list that tells of items without a time: ``, 5 without a time``; empty if there are none."""
    return f", {number:,} {UNTIMED}" if number else ""


def totals(segments: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What workers counted for their segments, added up by name; what is 0 is left out."""
    found: Counter[str] = Counter()
    for work in segments:
        found.update(dict(zip(COUNTS, work.get("counts", ()), strict=False)))
    return {name: count for name, count in found.items() if count}
