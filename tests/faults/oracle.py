"""The expected place of each item, derived from the items alone, and the count of the differences."""

from __future__ import annotations

import base64
import json
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.etl_pipeline.sample import expected_loaded, expected_record
from tests.etl_pipeline.values import Item, Key

Records = Sequence[tuple[Key, bytes]]
"""Records as they lie somewhere: the key, and all of the record."""

SHOWN = 3  # records of one kind that are named


@dataclass(frozen=True)
class Expected:
    """The expected result for the items of a window.

    Attributes:
        loaded: the records that the destination table must hold, and no other.
        rejected: those that must lie in quarantine, with the stage that rejects them.
    """

    loaded: Mapping[Key, bytes]
    rejected: Mapping[Key, bytes]


@dataclass
class Count:
    """Records that are not where they belong, or not as they must be.

    Attributes:
        lost: neither in the destination table nor in quarantine.
        duplicated: more than there must be: of a record that is there already, or of one that mustn't be there.
        wrong: not byte for byte as expected, or in the other place.
        in_both: in the destination table and in quarantine.
        named: some of them.
    """

    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    in_both: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, kind: str, key: Key, number: int = 1) -> None:
        """Count records of a kind."""
        if number:
            before = getattr(self, kind)
            setattr(self, kind, before + number)
            if before < SHOWN:
                self.named.append(f"{kind.replace('_', ' ')}: {key[0]} of {key[1] or 'no time'}")

    @property
    def figures(self) -> tuple[int, int, int, int]:
        return self.lost, self.duplicated, self.wrong, self.in_both

    def most(self, other: Count) -> Count:
        """The larger of each figure."""
        return self._joined(max, other)

    def plus(self, other: Count) -> Count:
        """The sum of each figure."""
        return self._joined(operator.add, other)

    def _joined(self, join: Callable[[int, int], int], other: Count) -> Count:
        lost, duplicated, wrong, in_both = map(join, self.figures, other.figures)
        return Count(lost, duplicated, wrong, in_both, list(dict.fromkeys([*self.named, *other.named])))


def count(expected: Expected, destination: Records, quarantine: Records) -> Count:
    """Count the items that are lost, duplicated, wrong or in both places.

    Args:
        expected: the expected result.
        destination: everything that the destination table holds.
        quarantine: everything that one run set aside.
    """
    counted = Count()
    loaded, rejected = _by_key(destination), _by_key(quarantine)
    belongs = [(key, record, loaded, rejected) for key, record in expected.loaded.items()]
    belongs += [(key, record, rejected, loaded) for key, record in expected.rejected.items()]
    for key, record, place, other in belongs:
        here, there = place.pop(key, []), other.pop(key, [])
        counted.add("lost", key, not (here or there))
        counted.add("in_both", key, bool(here and there))
        counted.add("wrong", key, any(each != record for each in here) or bool(there and not here))
        counted.add("duplicated", key, sum(max(0, len(copies) - 1) for copies in (here, there)))
    for key in loaded.keys() | rejected.keys():
        counted.add("duplicated", key, len(loaded[key]) + len(rejected[key]))
    return counted


def _by_key(records: Records) -> defaultdict[Key, list[bytes]]:
    found: defaultdict[Key, list[bytes]] = defaultdict(list)
    for key, record in records:
        found[key].append(record)
    return found


def expect(valid: Iterable[Item], invalid: Iterable[Item], refused: Iterable[Item], start: str, end: str) -> Expected:
    """Derive the expected result of a run of the window ``[start, end)``.

    Args:
        valid: items that Transform and Load take.
        invalid: items that Transform rejects; one without a timestamp belongs to every window.
        refused: items whose records DynamoDB doesn't take.
        start: first instant of the window.
        end: first instant after it.
    """
    loaded = [expected_loaded(expected_record(item, end)) for item in valid if within(item, start, end)]
    rejected = [(item, record_aside("transform", item)) for item in invalid if within(item, start, end)]
    rejected += [
        (item, record_aside("load", expected_record(item, end))) for item in refused if within(item, start, end)
    ]
    return Expected(
        {key_of(record): dynamodb_json(record) for record in loaded}, {key_of(item): line for item, line in rejected}
    )


def within(item: Item, start: str, end: str) -> bool:
    """Whether an item belongs to a window."""
    if "timestamp" not in item:
        return True
    first, instant, last = (datetime.fromisoformat(each) for each in (start, item["timestamp"]["S"], end))
    return first <= instant < last


def key_of(item: Item) -> Key:
    """The key of an item; without a timestamp it has an empty one."""
    return item["id"]["S"], item.get("timestamp", {"S": ""})["S"]


def dynamodb_json(item: Item) -> bytes:
    """An item as DynamoDB JSON; attributes and members of sets, which have no order, are sorted."""
    return json.dumps({name: _wire(value) for name, value in item.items()}, sort_keys=True).encode()


def record_aside(stage: str, item: Item) -> bytes:
    """A record in quarantine: the stage that rejected it, and the record."""
    return f"{stage} ".encode() + dynamodb_json(item)


def _wire(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute value with its binary, if it comes from boto3, in base64."""
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {kind: {name: _wire(each) for name, each in content.items()}}
        case "L":
            return {kind: [_wire(each) for each in content]}
        case "BS":
            return {kind: sorted(map(_base64, content))}
        case "SS" | "NS":
            return {kind: sorted(content)}
        case "B":
            return {kind: _base64(content)}
    return {kind: content}


def _base64(content: bytes | str) -> str:
    return base64.b64encode(content).decode() if isinstance(content, bytes) else content
