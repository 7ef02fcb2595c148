"""The counts of a segment, which the state of an execution holds without their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from etl.model.counts import by_name

UNTIMED = "without a time"
"""The words for items whose timestamp is no time. They lie in no window, so they count apart from rejected ones."""


def untimed_words(number: int) -> str:
    """The part of a list that tells of items without a time: ``, 5 without a time``; empty if there are none."""
    return f", {number:,} {UNTIMED}" if number else ""


def totals(segments: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What workers counted for their segments, added up by name; what is 0 is left out."""
    found: Counter[str] = Counter()
    for work in segments:
        found.update(by_name(work.get("counts", ())))
    return dict(found)
