"""Finds one item in what a run has staged: as it was read, what became of it, and why it was set aside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from etl_cli.items import staged_parts
from etl_cli.items.rejections import Reason
from etl_cli.runs.staged import rejected_records, text_of

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.runs.ledger import Entry

State = Literal["read", "not read", "gone", "not searched"]

# An id of these is written in JSON as it is, by whomever: lines without it needn't be decoded.
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:#@+=, -]+")
_PROGRESS_LINES = 5000
# Records of one item are few; so many are looked at.
MOST_RECORDS = 25
MOST_RECORDS_BYTES = 16_000_000


@dataclass
class Made:
    """Records that the transformation made of an item.

    Attributes:
        related: whether the records have other ids, in which its own occurs.
        number: how many records there are.
        records: the first of them, a line of plain JSON each.
    """

    related: bool = False
    number: int = 0
    records: list[bytes] = field(default_factory=list)

    def take(self, record: bytes) -> None:
        """Count a record, and keep it if there is room: an id may be a word of any number of others."""
        self.number += 1
        if self.number <= MOST_RECORDS and sum(map(len, self.records)) <= MOST_RECORDS_BYTES:
            self.records.append(record)


@dataclass(frozen=True)
class Found:
    """One item in one run.

    Attributes:
        entry: the run's in the ledger.
        state: whether the run read it; ``gone`` if what it staged has expired, or was never there.
        line: the item as it was read, in DynamoDB JSON.
        made: what the transformation made of it.
        rejections: why it, or what was made of it, was set aside, by stage.
    """

    entry: Entry
    state: State
    line: bytes | None = None
    made: Made = field(default_factory=Made)
    rejections: list[tuple[str, Reason]] = field(default_factory=list)

    @property
    def records(self) -> list[bytes]:
        """The first of the records that were made of it."""
        return self.made.records


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
            if text_of(line, "id") == identity:
                made = _made(pipeline, entry, segment, identity, looked_at)
                return Found(entry, "read", line, made, _rejections(pipeline, entry.run, identity))
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


def _made(pipeline: Pipeline, entry: Entry, segment: int, identity: str, looked_at: _Counter) -> Made:
    """What was made of the item: the records with its id, or else those in whose ids it occurs as a word."""
    own, related = Made(), Made(related=True)
    keys = staged_parts.segments(pipeline, "transform", entry.run).get(segment, [])
    for line in _mentioning(looked_at(staged_parts.lines(pipeline, keys)), identity):
        found = text_of(line, "id")
        if found == identity:
            own.take(line)
        elif occurs_in(identity, found):
            related.take(line)
    return related if related.number and not own.number else own


def _rejections(pipeline: Pipeline, run: str, identity: str) -> list[tuple[str, Reason]]:
    """Why the item was set aside, or what was made of it, whose id may be another."""
    found = (
        (record.stage, Reason.of(record))
        for record in rejected_records(pipeline, run)
        if record.identity == identity or (record.stage == "load" and occurs_in(identity, record.identity))
    )
    return list(islice(found, MOST_RECORDS))


def occurs_in(identity: str, other: str) -> bool:
    """Whether an id is another, or a word of it: ``order-1`` is one of ``order-1#2``, and none of ``order-12``."""
    return bool(re.search(rf"(?<!\w){re.escape(identity)}(?!\w)", other))
