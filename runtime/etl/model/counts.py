"""What a run counts, and the balance: every item that was read is loaded, set aside or left out on purpose."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

# The counts of a segment, each with the stage that counts it. The state of an execution holds them by position, without
# names, and the history of an execution is read for 90 days: a new count comes last.
STAGE_OF = {
    "scanned": "extract",
    "read": "extract",
    "read_units": "extract",
    "left": "extract",
    "extracted": "extract",
    "extract_parts": "extract",
    "extract_bytes": "extract",
    "transformed": "transform",
    "dropped": "transform",
    "rejected_transform": "transform",
    "records": "transform",
    "aggregate_records": "gate",
    "transform_parts": "transform",
    "transform_bytes": "transform",
    "transform_quarantine_parts": "transform",
    "loaded": "load",
    "superseded": "load",
    "rejected_load": "load",
    "load_requests": "load",
    "load_throttled": "load",
    "write_units": "load",
    "load_quarantine_parts": "load",
    "ahead": "transform",
    "untimed": "transform",
}
COUNTS = tuple(STAGE_OF)
POSITIONS = {name: position for position, name in enumerate(COUNTS)}

# Always in a run's report, even if they are 0.
REPORTED = (
    "scanned",
    "read",
    "extracted",
    "transformed",
    "dropped",
    "records",
    "loaded",
    "superseded",
    "rejected_transform",
    "rejected_load",
)

Counts = Mapping[str, int]


def by_name(counts: Iterable[int]) -> dict[str, int]:
    """The counts that aren't 0, by name, of a list that holds them by position."""
    return {name: count for name, count in zip(COUNTS, counts, strict=False) if count}


class Equation(NamedTuple):
    """A line of the balance: the count ``total`` is the sum of the counts ``parts``, or an item is unaccounted for.

    Attributes:
        stage: the stage that accounts for the total.
    """

    stage: str
    total: str
    parts: tuple[str, ...]


BALANCE = (
    Equation("extract", "read", ("extracted", "left")),
    Equation("transform", "extracted", ("transformed", "dropped", "ahead", "untimed", "rejected_transform")),
    Equation("load", "records", ("loaded", "superseded", "rejected_load")),
)


def judged(counts: Counts) -> int:
    """How many of the items that were read are the run's own: not those of a later run, nor those without a time."""
    return counts.get("read", 0) - counts.get("ahead", 0) - counts.get("untimed", 0)


def rejected(counts: Counts) -> int:
    """How many records the stages of a run rejected."""
    return counts.get("rejected_transform", 0) + counts.get("rejected_load", 0)


def set_aside(counts: Counts, stage: str | None = None) -> int:
    """How many records are in quarantine: those that were rejected, and those without a time.

    Args:
        counts: the run's totals, by name.
        stage: transform or load; both if left out.
    """
    if stage is None:
        return rejected(counts) + counts.get("untimed", 0)
    return counts.get(f"rejected_{stage}", 0) + (counts.get("untimed", 0) if stage == "transform" else 0)
