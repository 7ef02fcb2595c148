"""Finds one item in what a run has staged: as it was read, what became of it, and why it was set aside."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from etl_cli.quarantine import staged_parts
from etl_cli.quarantine.rejections import Reason
from etl_cli.report.report import item_text, rejected_records

if TYPE_CHECKING:
    from etl_cli.deployment import Pipeline
    from etl_cli.execution.ledger import Entry
    from etl_cli.item_view import Item

State = Literal["read", "not read", "gone", "not searched"]

# An id of these is written in JSON as it is, by whomever: lines without it needn't be decoded.
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:#@+=, -]+")
_PROGRESS_LINES = 5000


@dataclass(frozen=True)
class Found:
    """One item in one run.

    Attributes:
        entry: the run's in the ledger.
        state: whether the run read it; ``gone`` if what it staged has expired, or was never there.
        item: as it was read.
        records: what the transformation made of it, a line of plain JSON each.
        related: whether the records have other ids, in which its own occurs.
        rejections: why it, or what was made of it, was set aside, by stage.
    """

    entry: Entry
    state: State
    item: Item | None = None
    records: list[bytes] = field(default_factory=list)
    related: bool = False
    rejections: list[tuple[str, Reason]] = field(default_factory=list)


def search(pipeline: Pipeline, entry: Entry, identity: str, on_progress: Callable[[int], None]) -> Found:
    """Find an item in what a run has staged.

    Args:
        pipeline: where to look.
        entry: the run's in the ledger.
        identity: the item's id.
        on_progress: called with the number of records looked at.
    """
    parts = staged_parts.segments(pipeline, "extract", entry.run) if entry.run else {}
    if not parts:
        return Found(entry, "gone")
    looked_at = _Counter(on_progress)
    for segment, keys in parts.items():
        lines = looked_at(staged_parts.lines(pipeline, keys))
        for line in _mentioning(lines, identity):
            item = json.loads(line)
            if item_text(item, "id") == identity:
                records, related = _records(pipeline, entry, segment, identity, looked_at)
                return Found(entry, "read", item, records, related, _rejections(pipeline, entry.run, identity))
    return Found(entry, "not read")


class _Counter:
    """Counts the lines that pass, over several streams."""

    def __init__(self, on_progress: Callable[[int], None]) -> None:
        self._on_progress = on_progress
        self._count = 0

    def __call__(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            self._count += 1
            if self._count % _PROGRESS_LINES == 0:
                self._on_progress(self._count)
            yield line


def _mentioning(lines: Iterable[bytes], identity: str) -> Iterator[bytes]:
    """The lines in which an id may occur."""
    needle = identity.encode() if _PLAIN_ID.fullmatch(identity) else b""
    return (line for line in lines if needle in line)


def _records(
    pipeline: Pipeline, entry: Entry, segment: int, identity: str, looked_at: _Counter
) -> tuple[list[bytes], bool]:
    """What was made of the item: the records with its id, or else those in whose ids it occurs as a word."""
    own, related = [], []
    keys = staged_parts.segments(pipeline, "transform", entry.run).get(segment, [])
    for line in _mentioning(looked_at(staged_parts.lines(pipeline, keys)), identity):
        found = str(json.loads(line)["id"])
        if found == identity:
            own.append(line)
        elif occurs_in(identity, found):
            related.append(line)
    return (own, False) if own else (related, bool(related))


def _rejections(pipeline: Pipeline, run: str, identity: str) -> list[tuple[str, Reason]]:
    """Why the item was set aside, or what was made of it, whose id may be another."""
    return [
        (record["stage"], Reason.of(record))
        for record in rejected_records(pipeline, run)
        if (found := item_text(record["item"], "id")) == identity
        or (record["stage"] == "load" and occurs_in(identity, found))
    ]


def occurs_in(identity: str, other: str) -> bool:
    """Whether an id is another, or a word of it: ``order-1`` is one of ``order-1#2``, and none of ``order-12``."""
    return bool(re.search(rf"(?<!\w){re.escape(identity)}(?!\w)", other))
