"""Adds aggregates up: count, sum, min, max and average, by group.

Each worker adds up the records that it sees, and the gate merges the parts. Sums are exact in any order: decimal
arithmetic with room for every digit that DynamoDB's numbers can have.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from sys import getsizeof
from typing import Any

import msgspec

from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError
from etl.user.aggregates import Aggregate
from etl.values.attribute_values import Record
from etl.values.plain_json import encode

MAX_GROUPS = 10_000
# The memory that the groups of all aggregates may take together, in bytes, by an estimate. The gate holds them and the
# groups of one part as JSON, see docs/design.md, "Memory".
MOST_BYTES = 64 * 1024 * 1024
# A group without its values, and the sums of one attribute: numbers of 38 digits, a sum of more.
_ROW_BYTES, _SUMS_BYTES = 300, 550
# The longest text that makes a group, in characters. The key of a loaded group contains it, and a key has 2,048 bytes
# at most. Source: DynamoDB Developer Guide, "Constraints in Amazon DynamoDB", Partition keys and sort keys.
LONGEST_GROUP = 2048
# From 10^125 down to 10^-130-37 a sum of 10^20 numbers has at most 313 digits: it is never rounded.
_EXACT = Context(prec=320)
# An average is rounded to the digits of a DynamoDB number.
_AVERAGE = Context(prec=38)
_NUMBERS = frozenset((int, Decimal))

_rows = msgspec.json.Decoder(float_hook=Decimal)

Group = tuple[Any, ...]
Number = int | Decimal
Numbers = tuple[Number | None, ...]
Prepared = tuple[Group, Numbers]


@dataclass(slots=True)
class Sums:
    """The sums of one attribute in one group."""

    count: int = 0
    sum: Number = 0
    min: Number | None = None
    max: Number | None = None

    def add(self, numbers: list[Number]) -> None:
        """Take in the numbers of more records, in the context ``_EXACT``."""
        if numbers:
            self.count += len(numbers)
            self.sum = sum(numbers, self.sum)
            self.min = min(numbers) if self.min is None else min(self.min, *numbers)
            self.max = max(numbers) if self.max is None else max(self.max, *numbers)

    def merge(self, other: "Sums") -> None:
        """Take in the sums of another worker."""
        self.count += other.count
        self.sum = _EXACT.add(self.sum, other.sum)
        self.min = min((value for value in (self.min, other.min) if value is not None), default=None)
        self.max = max((value for value in (self.max, other.max) if value is not None), default=None)

    def result(self, function: str) -> Number | None:
        """The value of ``function``; None for a group without a number."""
        if function == "avg":
            return _AVERAGE.divide(Decimal(self.sum), Decimal(self.count)) if self.count else None
        value: Number | None = getattr(self, function)
        return value


@dataclass(eq=False, slots=True)
class _Row:
    """One group: its values, the number of its records, and the sums of each attribute of the aggregate, in order."""

    group: Group
    sums: list[Sums]
    records: int = 0


class Room:
    """The memory that aggregates share, in bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.free_bytes = most_bytes
        self._most = most_bytes

    def take(self, size: int) -> None:
        """Take some of it.

        Raises:
            TransformationError: there isn't enough.
        """
        self.free_bytes -= size
        if self.free_bytes < 0:
            raise TransformationError(
                f"the groups of AGGREGATES take more than {self._most // 1024**2} MB of memory together: group by "
                "fewer, coarser or shorter attributes, or have fewer aggregates"
            )


class Accumulator:
    """One aggregate over the records of one worker, or of the whole run.

    Args:
        aggregate: the declaration.
        room: the memory that it shares with other aggregates; its own if None.
    """

    def __init__(self, aggregate: Aggregate, room: Room | None = None) -> None:
        self.aggregate = aggregate
        self._room = room or Room()
        names = sum(map(len, aggregate.by)) + sum(len(name) + _SUMS_BYTES for name in aggregate.of)
        self._row_bytes = _ROW_BYTES + names
        self._by = tuple(aggregate.by)
        self._of = tuple(aggregate.of)
        # The key is the group itself if all of it is text, otherwise its JSON, which distinguishes 1 from true.
        self._rows: dict[Group | bytes, _Row] = {}

    def prepare(self, record: Record) -> Prepared:
        """Check a record and return its addition: its group, and a number for each attribute of ``of``.

        Raises:
            RejectedError: an attribute of ``by`` isn't text, a number, a truth value or absent, or is too long; or an
                attribute of ``of`` isn't a number or absent.
        """
        group = tuple(map(record.get, self._by))
        for value in group:
            if type(value) is not str or len(value) > LONGEST_GROUP:
                group = tuple(map(self._group_value, self._by, group))
                break
        numbers = tuple(map(record.get, self._of))
        for number in numbers:
            if type(number) not in _NUMBERS:
                numbers = tuple(map(self._number, self._of, numbers))
                break
        return group, numbers

    def add(self, prepared: Iterable[Prepared]) -> None:
        """Add the results of :meth:`prepare`. Many records at once cost little more than one.

        Raises:
            TransformationError: there are more groups than an aggregate may have, or than memory holds.
        """
        by_row: dict[_Row, list[Numbers]] = {}
        for group, numbers in prepared:
            by_row.setdefault(self._rows.get(group) or self._row(group), []).append(numbers)
        with localcontext(_EXACT):
            for row, records in by_row.items():
                row.records += len(records)
                for sums, numbers in zip(row.sums, zip(*records, strict=True), strict=False):
                    sums.add([number for number in numbers if number is not None])

    def dump(self) -> Iterator[bytes]:
        """The groups as JSON that :meth:`merge` reads."""
        for row in self._sorted():
            yield encode({"group": row.group, "records": row.records, "of": dict(zip(self._of, row.sums, strict=True))})

    def merge(self, dumped: Iterable[bytes | msgspec.Raw]) -> None:
        """Add the groups that another worker dumped.

        Raises:
            TransformationError: there are more groups than an aggregate may have, or than memory holds.
        """
        for entry in map(_rows.decode, dumped):
            row = self._row(tuple(entry["group"]))
            row.records += entry["records"]
            own = dict(zip(self._of, row.sums, strict=True))
            for name, values in entry["of"].items():
                own[name].merge(Sums(**values))

    def results(self) -> list[Record]:
        """All of :meth:`rows`."""
        return list(self.rows())

    def rows(self) -> Iterator[Record]:
        """A record for each group, in a fixed order: its attributes, ``records``, each ``<attribute>_<function>``."""
        for row in self._sorted():
            result: Record = dict(zip(self._by, row.group, strict=True)) | {"records": row.records}
            for (name, functions), sums in zip(self.aggregate.of.items(), row.sums, strict=True):
                result |= {f"{name}_{function}": sums.result(function) for function in functions}
            yield result

    def _sorted(self) -> list[_Row]:
        return sorted(self._rows.values(), key=lambda row: encode(row.group))

    def _row(self, group: Group) -> _Row:
        """The row of a group; a new one for its first record."""
        key = group if all(type(value) is str for value in group) else encode(group)
        if key not in self._rows:
            if len(self._rows) >= MAX_GROUPS:
                raise TransformationError(
                    f"aggregate {self.aggregate.name} has more than {MAX_GROUPS:,} groups: "
                    "group by fewer or coarser attributes"
                )
            self._room.take(self._row_bytes + sum(map(getsizeof, group)) + len(encode(group)))
            self._rows[key] = _Row(group, [Sums() for _ in self._of])
        return self._rows[key]

    def _group_value(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and len(value) > LONGEST_GROUP:
            rule = f"expected at most {LONGEST_GROUP:,} characters, to group {self.aggregate.name} by"
            raise RejectedError(rule, field=name, got=f"{len(value):,}")
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, (int, Decimal, float)):
            return _canonical(_exact(value))
        rule = f"expected text, a number or nothing, to group {self.aggregate.name} by"
        raise RejectedError(rule, field=name, got=type(value).__name__)

    def _number(self, name: str, value: Any) -> Number | None:
        if value is None:
            return None
        if isinstance(value, (int, Decimal, float)) and not isinstance(value, bool):
            return _exact(value)
        rule = f"expected a number or nothing, for {self.aggregate.name}"
        raise RejectedError(rule, field=name, got=type(value).__name__)


def accumulators(aggregates: Iterable[Aggregate]) -> list[Accumulator]:
    """An accumulator for each aggregate; they share their memory."""
    room = Room()
    return [Accumulator(aggregate, room) for aggregate in aggregates]


def json_array(rows: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a JSON array."""
    between = b"["
    for row in rows:
        yield between
        yield row
        between = b","
    yield b"]" if between == b"," else b"[]"


def partial(parts: Iterable[Accumulator]) -> bytes:
    """A worker's groups, as a JSON object with an array for each aggregate that :meth:`Accumulator.merge` reads."""
    pieces = [b"{"]
    for number, each in enumerate(parts):
        pieces += (b"," if number else b"", encode(each.aggregate.name), b":", *json_array(each.dump()))
    return b"".join([*pieces, b"}"])


def _exact(value: Number | float) -> Number:
    """A number as it is staged. A float, which only the contract can allow, is the shortest text that reads back."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _canonical(value: Number) -> Number:
    """The one spelling of all equal numbers: ``1`` for 1, 1.0 and 1E0."""
    number = Decimal(value).normalize(_EXACT)
    exponent = number.as_tuple().exponent
    return int(number) if isinstance(exponent, int) and 0 <= exponent < _AVERAGE.prec else number
