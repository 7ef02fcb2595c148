"""Compares the records of an earlier run with those that your transformation makes now, by their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import cached_property

from etl.model.keys import Key, plain_reader
from etl.model.schema import SPECIFIED, Schema
from etl_cli.aws.raw_items import without_equal
from etl_cli.items.item_key import ItemKey, item_of_record
from etl_cli.runs.item_changes import Change, changes
from etl_cli.runs.staged import loaded_item
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.formats import size

# The most fields that are counted apart, with an example each.
MOST_FIELDS = 1_000
_MOST_EXAMPLE_BYTES = 20_000
_POSITION = re.compile(r"\[\d+\]")


@dataclass
class FieldChanges:
    """A field that differs in several records: ``lines[].price`` for any element of a list.

    The mark is ``+`` for a new field, ``-`` for a removed one, ``~`` for another value. The example, the first change,
    is None if its values are too large to keep; the key is that of its record.
    """

    path: str
    mark: str
    example: Change | None
    key: Key
    count: int = 0


@dataclass(frozen=True)
class ChangedRecord:
    """A record that differs, as two lines of plain JSON."""

    key: Key
    then: bytes
    now: bytes


@dataclass
class Comparison:
    """The records of then and of now. Of several records with one key, the last counts.

    Both come in about the same order, so that few records wait for their counterpart.

    Attributes:
        schema: the keys of the run's tables.
        fields: the fields that differ, by path and mark; the first ``MOST_FIELDS``.
        further: number of records in which further fields differ.
        examples, gone, come: the first ``most_examples`` records that differ, and keys of records that are no longer
            made, and of those that weren't made then.
    """

    most_examples: int = 3
    schema: Schema = SPECIFIED
    most_waiting: int = 200_000
    most_waiting_bytes: int = 64 * 1024 * 1024
    unchanged: int = 0
    changed: int = 0
    gone_count: int = 0
    come_count: int = 0
    fields: dict[tuple[str, str], FieldChanges] = field(default_factory=dict)
    further: int = 0
    examples: list[ChangedRecord] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)
    come: list[Key] = field(default_factory=list)
    taken_then: int = 0
    _then: dict[Key, tuple[int, bytes]] = field(default_factory=dict)
    _now: dict[Key, bytes] = field(default_factory=dict)
    _last_matched: int = 0
    _waiting_bytes: int = 0

    @cached_property
    def _key_of(self) -> Callable[[bytes], Key]:
        return plain_reader(self.schema.destination)

    def named(self, key: Key) -> ItemKey:
        """The key of a record, with its attributes."""
        return ItemKey(self.schema.destination, key)

    @property
    def is_waiting(self) -> bool:
        """Whether a record of now has no counterpart yet."""
        return bool(self._now)

    def take_then(self, line: bytes) -> None:
        """Take a record of the earlier run."""
        key = self._key_of(line)
        self.taken_then += 1
        now = self._now.pop(key, None)
        if now is None:
            self._wait(self._then.get(key, (0, b""))[1], line)
            self._then[key] = (self.taken_then, line)
        else:
            self._waiting_bytes -= len(now)
            self._match(key, self.taken_then, line, now)

    def take_now(self, line: bytes) -> None:
        """Take a record that is made now."""
        key = self._key_of(line)
        then = self._then.pop(key, None)
        if then is None:
            self._wait(self._now.get(key, b""), line)
            self._now[key] = line
        else:
            self._waiting_bytes -= len(then[1])
            self._match(key, *then, line)

    def finish(self, taken: Container[Key] | None = None) -> None:
        """End the comparison: records without a counterpart are new, or gone.

        Of some items, given by their keys, a record of then may belong to another item if it has none of these keys
        and comes after all matched records.
        """
        gone = [
            key
            for key, (position, line) in self._then.items()
            if taken is None or position < self._last_matched or item_of_record(line, self.schema).values in taken
        ]
        self.gone_count, self.gone = len(gone), gone[: self.most_examples]
        self.come_count, self.come = len(self._now), list(self._now)[: self.most_examples]
        self._then.clear()
        self._now.clear()

    def _match(self, key: Key, position: int, then: bytes, now: bytes) -> None:
        self._last_matched = max(self._last_matched, position)
        if not self._count_fields(key, then, now):
            self.unchanged += 1
            return
        self.changed += 1
        if len(self.examples) < self.most_examples:
            self.examples.append(ChangedRecord(key, then, now))

    def _count_fields(self, key: Key, then: bytes, now: bytes) -> bool:
        """Count the fields that differ, each once; whether any does."""
        if then == now:
            return False
        named: set[tuple[str, str]] = set()
        further = False
        for change in changes(*map(loaded_item, without_equal(then, now))):
            name = (_POSITION.sub("[]", change.path), change.mark)
            if name not in self.fields and len(self.fields) >= MOST_FIELDS:
                further = True
            elif name not in named:
                named.add(name)
                self.fields.setdefault(name, FieldChanges(*name, _kept(change), key)).count += 1
        self.further += further
        return bool(named) or further

    def _wait(self, replaced: bytes, line: bytes) -> None:
        """Make room for a record that waits in the place of another, or of none."""
        self._waiting_bytes += len(line) - len(replaced)
        if len(self._then) + len(self._now) >= self.most_waiting or self._waiting_bytes > self.most_waiting_bytes:
            raise UserError(
                f"Too many records have another key or position than in the run: more than "
                f"{self.most_waiting:,}, or {size(self.most_waiting_bytes)}.",
                "Compare a part of them: --sample 1000",
            )


def _kept(change: Change) -> Change | None:
    """A change, unless it is too large to keep for each field."""
    sides = (json.dumps(side) for side in (change.before, change.after) if side)
    return change if sum(map(len, sides)) <= _MOST_EXAMPLE_BYTES else None
