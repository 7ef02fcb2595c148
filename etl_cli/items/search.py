"""Searches the staged objects of a run for one item: its reading, its records, its rejections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Literal

from etl.model.stages import EXTRACT, LOAD, TRANSFORM
from etl_cli.items.quarantine import records_of
from etl_cli.items.rejections import Rejection
from etl_cli.runs.staged import item_id, record_id, staged_lines, staged_parts

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.runs.ledger import LedgerEntry

State = Literal["read", "not read", "gone", "not searched"]

_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:#@+=, -]+")
_PROGRESS_LINES = 5000
# One item becomes few records. This limits those that are kept.
MOST_RECORDS = 25
MOST_RECORDS_BYTES = 16_000_000


@dataclass
class MadeRecords:
    """The records that a run made of an item: their number, and the first of them, lines of plain JSON."""

    related: bool = False  # the records have other ids, which contain the item's id as a word
    number: int = 0
    records: list[bytes] = field(default_factory=list)

    def take(self, record: bytes) -> None:
        """Count a record, and keep it if there is room: an id may be a word of any number of others."""
        self.number += 1
        if self.number <= MOST_RECORDS and sum(map(len, self.records)) <= MOST_RECORDS_BYTES:
            self.records.append(record)


@dataclass(frozen=True)
class ItemInRun:
    """One item in one run, with the rejections of the item or of its records."""

    entry: LedgerEntry
    state: State  # ``gone`` if the run's staged objects have expired, or never existed
    line: bytes | None = None  # the item as the run read it, in DynamoDB JSON
    made: MadeRecords = field(default_factory=MadeRecords)
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def records(self) -> list[bytes]:
        """The first records that the run made of the item."""
        return self.made.records


def search(deployment: Deployment, entry: LedgerEntry, identity: str, on_progress: Callable[[int], None]) -> ItemInRun:
    """Search the staged objects of a run for an item. Progress is the number of records looked at."""
    parts = staged_parts(deployment, EXTRACT, entry.run) if entry.run else {}
    if not parts:
        return ItemInRun(entry, "gone")
    # JSON has an id of these characters as it is: lines without it needn't be decoded.
    needle = identity.encode() if _PLAIN_ID.fullmatch(identity) else b""
    numbers = count(1)

    def lines_of(keys: list[str]) -> Iterator[bytes]:
        for line, number in zip(staged_lines(deployment, *keys), numbers, strict=False):
            if number % _PROGRESS_LINES == 0:
                on_progress(number)
            if needle in line:
                yield line

    for segment, keys in parts.items():
        for line in lines_of(keys):
            if item_id(line) == identity:
                transformed = staged_parts(deployment, TRANSFORM, entry.run).get(segment, [])
                made = _made(lines_of(transformed), identity)
                return ItemInRun(entry, "read", line, made, _rejections(deployment, entry.run, identity))
    return ItemInRun(entry, "not read")


def _made(lines: Iterator[bytes], identity: str) -> MadeRecords:
    """The records with the item's id, or else the records whose ids contain it as a word."""
    own, related = MadeRecords(), MadeRecords(related=True)
    for line in lines:
        found = record_id(line)
        if found == identity:
            own.take(line)
        elif occurs_in(identity, found):
            related.take(line)
    return related if related.number and not own.number else own


def _rejections(deployment: Deployment, run_id: str, identity: str) -> list[Rejection]:
    """The rejections of the item, or of its records, whose ids may be others."""
    found = (
        record.rejection
        for record in records_of(deployment, run_id)
        if record.identity == identity or (record.stage == LOAD and occurs_in(identity, record.identity))
    )
    return list(islice(found, MOST_RECORDS))


def occurs_in(identity: str, other: str) -> bool:
    """Whether an id is another, or a word of it: ``order-1`` is a word of ``order-1#2``, but not of ``order-12``."""
    return bool(re.search(rf"(?<!\w){re.escape(identity)}(?!\w)", other))
