"""What a run loaded, held against what it would load now: record by record, matched by their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from etl_cli.aws.raw_items import without_alike
from etl_cli.runs.item import Change, Item, changes
from etl_cli.terminal.console import Later
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.words import size

Key = tuple[str, str]
"""``id`` and ``timestamp``."""

# Fields that differ, of which each is told apart and has an example of its own.
MOST_FIELDS = 1_000
_MOST_EXAMPLE_BYTES = 20_000
_POSITION = re.compile(r"\[\d+\]")


@dataclass
class FieldChanges:
    """A field that is another in several records.

    Attributes:
        path: where it is, ``lines[].price`` for any of a list.
        mark: ``+`` it came, ``-`` it went, ``~`` its value is another.
        count: in how many records.
        example: the first change; None if its values are too large to keep.
        key: of the record in which that is.
    """

    path: str
    mark: str
    example: Change | None
    key: Key
    count: int = 0


@dataclass(frozen=True)
class Changed:
    """A record that is another: two lines of plain JSON, which take a hundred times as much as objects."""

    key: Key
    then: bytes
    now: bytes


@dataclass
class Comparison:
    """The records of then and of now; of several with one key, the last counts.

    They come in about the same order, so that what waits for its counterpart is little.

    Attributes:
        key_of: tells the key of a staged record.
        item_of: makes an item of it.
        most_examples: of each kind.
        most_waiting: how many may wait.
        most_waiting_bytes: how many bytes they may have.
        unchanged: how many are the same.
        changed: how many are another.
        fields: what is another in them, by path and mark; of the first ``MOST_FIELDS``.
        further: in how many records something else is another, too.
        examples: some of them.
        gone: keys that are made no more, some of them; ``gone_count`` is how many.
        come: keys that weren't made then, some of them; ``come_count`` is how many.
        taken_then: how many records of then were taken.
    """

    key_of: Callable[[bytes], Key]
    item_of: Callable[[bytes], Item]
    most_examples: int = 3
    most_waiting: int = 200_000
    most_waiting_bytes: int = 64 * 1024 * 1024
    unchanged: int = 0
    changed: int = 0
    gone_count: int = 0
    come_count: int = 0
    fields: dict[tuple[str, str], FieldChanges] = field(default_factory=dict)
    further: int = 0
    examples: list[Changed] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)
    come: list[Key] = field(default_factory=list)
    _then: dict[Key, tuple[int, bytes]] = field(default_factory=dict)
    _now: dict[Key, bytes] = field(default_factory=dict)
    taken_then: int = 0
    _last_matched: int = 0
    _waiting_bytes: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a record of now has no counterpart yet."""
        return bool(self._now)

    def take_then(self, line: bytes) -> None:
        """Take a record that was staged then."""
        key = self.key_of(line)
        self.taken_then += 1
        now = self._now.pop(key, None)
        if now is None:
            self._replaced(self._then.get(key, (0, b""))[1], line)
            self._then[key] = (self.taken_then, line)
        else:
            self._waiting_bytes -= len(now)
            self._match(key, self.taken_then, line, now)

    def take_now(self, line: bytes) -> None:
        """Take a record that is made now."""
        key = self.key_of(line)
        then = self._then.pop(key, None)
        if then is None:
            self._replaced(self._now.get(key, b""), line)
            self._now[key] = line
        else:
            self._waiting_bytes -= len(then[1])
            self._match(key, *then, line)

    def finish(self, ids: Container[str] | None = None) -> None:
        """All records were taken: what has no counterpart came, or is gone.

        Args:
            ids: of the items that the records of now are made of; None if these are all that there are. A record of
                then that has none of these ids, and lies behind all that have a counterpart, may be made of another.
        """
        gone = [
            key
            for key, (position, _) in self._then.items()
            if ids is None or key[0] in ids or position < self._last_matched
        ]
        self.gone_count, self.gone = len(gone), gone[: self.most_examples]
        self.come_count, self.come = len(self._now), list(self._now)[: self.most_examples]
        self._then.clear()
        self._now.clear()

    def document(self) -> dict[str, Any]:
        """As programs get it."""
        return {
            "unchanged": self.unchanged,
            "changed": self.changed,
            "come": {"count": self.come_count, "examples": [_key_document(key) for key in self.come]},
            "gone": {"count": self.gone_count, "examples": [_key_document(key) for key in self.gone]},
            "fields": [
                {"path": each.path, "mark": each.mark, "count": each.count}
                | {"example": _key_document(each.key) | _values(each.example)}
                for each in self.fields.values()
            ],
            "further": self.further,
            "examples": [Later(partial(self._example, each)) for each in self.examples],
        }

    def _example(self, changed: Changed) -> dict[str, Any]:
        return _key_document(changed.key) | {"then": self.item_of(changed.then), "now": self.item_of(changed.now)}

    def _match(self, key: Key, position: int, then: bytes, now: bytes) -> None:
        self._last_matched = max(self._last_matched, position)
        named: set[tuple[str, str]] = set()
        further = False
        for change in () if then == now else changes(*map(self.item_of, without_alike(then, now))):
            name = (_POSITION.sub("[]", change.path), change.mark)
            if name not in self.fields and len(self.fields) >= MOST_FIELDS:
                further = True
            elif name not in named:
                named.add(name)
                self.fields.setdefault(name, FieldChanges(*name, _kept(change), key)).count += 1
        self.further += further
        if not named and not further:
            self.unchanged += 1
            return
        self.changed += 1
        if len(self.examples) < self.most_examples:
            self.examples.append(Changed(key, then, now))

    def _replaced(self, old: bytes, new: bytes) -> None:
        """A line waits in the place of another, or of none."""
        self._waiting_bytes += len(new) - len(old)
        if len(self._then) + len(self._now) >= self.most_waiting or self._waiting_bytes > self.most_waiting_bytes:
            raise UserError(
                f"More than {self.most_waiting:,} records of the run, or {size(self.most_waiting_bytes)} of them, have "
                "other keys than then, or another order.",
                "Compare a part of them: --sample 1000",
            )


def _kept(change: Change) -> Change | None:
    """A change, if it isn't too large to keep for each field."""
    sides = (json.dumps(side) for side in (change.before, change.after) if side)
    return change if sum(map(len, sides)) <= _MOST_EXAMPLE_BYTES else None


def _values(change: Change | None) -> dict[str, Any]:
    return {"then": change.before, "now": change.after} if change else {"then": None, "now": None, "too_large": True}


def _key_document(key: Key) -> dict[str, str]:
    return {"id": key[0], "timestamp": key[1]}
