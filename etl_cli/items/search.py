"""Searches the staged objects of a run for one item: its reading, its records, its rejections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Literal

from etl.model.keys import Key, plain_reader, wire_reader
from etl.model.run import Run
from etl.model.schema import Schema
from etl.model.stages import EXTRACT, LOAD, TRANSFORM
from etl.tables.change_time import AHEAD, EXCLUDED, OUTSIDE, Verdict, bounds_of, rule_of
from etl_cli.items.item_key import ItemKey, item_of_record
from etl_cli.items.item_time import value_of
from etl_cli.items.quarantine import records_of
from etl_cli.items.rejections import Rejection
from etl_cli.runs.staged import manifest, staged_lines, staged_parts

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.runs.ledger import LedgerEntry

State = Literal["read", "not read", "gone", "other keys", "not searched"]

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
    state: State  # ``gone`` if its staged objects have expired, ``other keys`` if its tables had other ones than now
    line: bytes | None = None  # the item as the run read it, in DynamoDB JSON
    made: MadeRecords = field(default_factory=MadeRecords)
    rejections: list[Rejection] = field(default_factory=list)
    excluded: bool = False  # whether the run left it out because it had no time

    @property
    def records(self) -> list[bytes]:
        """The first records that the run made of the item."""
        return self.made.records


def search(
    deployment: Deployment, entry: LedgerEntry, key: ItemKey, schema: Schema, on_progress: Callable[[int], None]
) -> ItemInRun:
    """Search the staged objects of a run for an item. Progress is the number of records looked at.

    Args:
        deployment: the pipeline.
        entry: the run.
        key: the item's key.
        schema: the keys of the tables now; a run over tables with other keys isn't searched.
        on_progress: takes the progress.
    """
    parts = staged_parts(deployment, EXTRACT, entry.run) if entry.run else {}
    if not parts:
        return ItemInRun(entry, "gone")
    run = manifest(deployment, entry.run)
    if run and (run.schema.source, run.schema.destination) != (schema.source, schema.destination):
        return ItemInRun(entry, "other keys")
    # JSON has text of these characters as it is: lines without it needn't be decoded.
    texts = [value for each, value in zip(key.attributes, key.values, strict=True) if each.type == "S"]
    needles = [text.encode() for text in texts if _PLAIN_ID.fullmatch(text)]
    numbers = count(1)

    def lines_of(keys: list[str]) -> Iterator[bytes]:
        for line, number in zip(staged_lines(deployment, *keys), numbers, strict=False):
            if number % _PROGRESS_LINES == 0:
                on_progress(number)
            if all(needle in line for needle in needles):
                yield line

    item_key = wire_reader(schema.source)
    for segment, keys in parts.items():
        for line in lines_of(keys):
            if item_key(line) == key.values:
                left_out = _left_out(line, run)
                if left_out in (AHEAD, OUTSIDE):  # DynamoDB picked it for the run, which then left it to another
                    return ItemInRun(entry, "not read")
                transformed = staged_parts(deployment, TRANSFORM, entry.run).get(segment, [])
                made = _made(lines_of(transformed), key, schema)
                aside = _rejections(deployment, entry.run, key, schema)
                return ItemInRun(entry, "read", line, made, aside, excluded=left_out == EXCLUDED)
    return ItemInRun(entry, "not read")


def _left_out(line: bytes, run: Run | None) -> Verdict:
    """The verdict of a run on the time of an item."""
    if not run:
        return None
    rule = rule_of(run.schema.time)
    return rule.verdict_on(value_of(run.schema.time, line), bounds_of(run))


def _made(lines: Iterator[bytes], key: ItemKey, schema: Schema) -> MadeRecords:
    """The records that name the item by its key, or else the records whose keys contain it as words."""
    own, related = MadeRecords(), MadeRecords(related=True)
    record_key = plain_reader(schema.destination)
    for line in lines:
        if item_of_record(line, schema).values == key.values or record_key(line)[: len(key.values)] == key.values:
            own.take(line)
        elif occurs_in(key.values, record_key(line)):
            related.take(line)
    return related if related.number and not own.number else own


def _rejections(deployment: Deployment, run_id: str, key: ItemKey, schema: Schema) -> list[Rejection]:
    """The rejections of the item, or of its records, whose keys may be others."""
    found = (
        record.rejection
        for record in records_of(deployment, run_id, schema=schema)
        if record.key.values == key.values or (record.stage == LOAD and occurs_in(key.values, record.key.values))
    )
    return list(islice(found, MOST_RECORDS))


def occurs_in(key: Key, other: Key) -> bool:
    """Whether each value of a key is a value of another, or a word of one.

    ``order-1`` is a word of ``order-1#2``, but not of ``order-12``.
    """
    return all(any(re.search(rf"(?<!\w){re.escape(value)}(?!\w)", each) for each in other) for value in key)
