"""Aggregates: count, sum, min, max and average over the records of a run, by group.

Each worker adds up what it sees; the gate merges. Sums are exact, whatever the order: decimal arithmetic
with room for every digit that DynamoDB's numbers can have.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from sys import getsizeof
from typing import Any

import msgspec

from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError
from etl.model.schema import DESTINATION_KEY
from etl.values.attribute_values import Record
from etl.values.plain_json import encode

MAX_GROUPS = 10_000
# What the groups of all aggregates may take together, in bytes of memory as it is estimated. The gate holds them beside
# those of one part as JSON, see docs/design.md, "Memory".
MOST_BYTES = 64 * 1024 * 1024
# A group without its values, and what is known of one attribute of it: numbers of 38 digits, a sum of more.
_ROW_BYTES, _SUMS_BYTES = 300, 550
# The longest text that makes a group, in characters. A loaded group's key has it, and a key has 2,048 bytes at most.
# Source: DynamoDB Developer Guide, "Constraints in Amazon DynamoDB", Partition keys and sort keys.
LONGEST_GROUP = 2048
# From 10^125 down to 10^-130-37 a sum of 10^20 numbers has at most 313 digits: it is never rounded.
_EXACT = Context(prec=320)
# An average is rounded, to what a number of DynamoDB can hold.
_AVERAGE = Context(prec=38)
_NUMBERS = frozenset((int, Decimal))
_FUNCTIONS = ("count", "sum", "min", "max", "avg")

_rows = msgspec.json.Decoder(float_hook=Decimal)

Group = tuple[Any, ...]
Number = int | Decimal
Numbers = tuple[Number | None, ...]
Prepared = tuple[Group, Numbers]


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """What to add up.

    Attributes:
        name: names it in the run's report.
        by: attributes whose values make a group; none for one group of everything.
        of: functions by attribute, such as ``{"value": ("sum", "avg")}``. The number of records of a group is
            always there, as ``records``.
        load: whether each group is also loaded, as a record of its own.
    """

    name: str
    by: Sequence[str] = ()
    of: dict[str, Sequence[str]] = field(default_factory=dict)
    load: bool = False

    def __post_init__(self) -> None:
        """Check what a type can't say."""
        if isinstance(self.by, str):
            raise TransformationError(f'aggregate {self.name}: by must be a list of attributes, got "{self.by}"')
        taken = {"records", *(DESTINATION_KEY if self.load else ())} & set(self.by)
        if taken:
            raise TransformationError(
                f"aggregate {self.name}: by can't name {', '.join(sorted(taken))}, which its own records have: "
                "have transform() add the same under another name"
            )
        for attribute, functions in self.of.items():
            unknown = [functions] if isinstance(functions, str) else [f for f in functions if f not in _FUNCTIONS]
            if unknown:
                raise TransformationError(
                    f"aggregate {self.name}: of[{attribute!r}] must be a list of {', '.join(_FUNCTIONS)}, got {unknown}"
                )


@dataclass(slots=True)
class Sums:
    """What is known of one attribute in one group."""

    count: int = 0
    sum: Number = 0
    min: Number | None = None
    max: Number | None = None

    def add(self, numbers: list[Number]) -> None:
        """Take in numbers of more records, in the context ``_EXACT``."""
        if numbers:
            self.count += len(numbers)
            self.sum = sum(numbers, self.sum)
            self.min = min(numbers) if self.min is None else min(self.min, *numbers)
            self.max = max(numbers) if self.max is None else max(self.max, *numbers)

    def merge(self, other: "Sums") -> None:
        """Take in what another worker knows."""
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
    """One group: its values, its records, and the sums of each attribute in the order of the aggregate's."""

    group: Group
    sums: list[Sums]
    records: int = 0


class Room:
    """The memory that aggregates share, in bytes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._left = most_bytes
        self._most = most_bytes

    def take(self, size: int) -> None:
        """Take some of it.

        Raises:
            TransformationError: there isn't so much left.
        """
        self._left -= size
        if self._left < 0:
            raise TransformationError(
                f"the groups of AGGREGATES take more than {self._most // 1024**2} MB of memory together: group by "
                "fewer, coarser or shorter attributes, or have fewer aggregates"
            )


class Accumulator:
    """One aggregate over the records that one worker, or the whole run, has seen.

    Args:
        aggregate: what to add up.
        room: the memory that it shares with other aggregates; its own when None.
    """

    def __init__(self, aggregate: Aggregate, room: Room | None = None) -> None:
        self.aggregate = aggregate
        self._room = room or Room()
        names = sum(map(len, aggregate.by)) + sum(len(name) + _SUMS_BYTES for name in aggregate.of)
        self._row_bytes = _ROW_BYTES + names
        self._by = tuple(aggregate.by)
        self._of = tuple(aggregate.of)
        # By the group itself if it is all of text, else as JSON, which tells 1 from true.
        self._rows: dict[Group | bytes, _Row] = {}

    def prepare(self, record: Record) -> Prepared:
        """What a record adds, checked and not yet added: its group, and a number for each attribute of ``of``.

        Raises:
            RejectedError: an attribute that makes a group isn't text, a number, a truth value or absent, or is too
                long, or one that is added up isn't a number or absent.
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
        """Add what :meth:`prepare` returned for records: many at once cost little more than one.

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
        """Add what another worker dumped.

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
        """A record a group, in a fixed order: its attributes, ``records``, and ``<attribute>_<function>`` each."""
        for row in self._sorted():
            result: Record = dict(zip(self._by, row.group, strict=True)) | {"records": row.records}
            for (name, functions), sums in zip(self.aggregate.of.items(), row.sums, strict=True):
                result |= {f"{name}_{function}": sums.result(function) for function in functions}
            yield result

    def _sorted(self) -> list[_Row]:
        return sorted(self._rows.values(), key=lambda row: encode(row.group))

    def _row(self, group: Group) -> _Row:
        """The row of a group, a new one if it is the first of it."""
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
    """An accumulator for each aggregate, which share their memory."""
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
    """A worker's groups, as a JSON object with an array a name that :meth:`Accumulator.merge` reads."""
    pieces = [b"{"]
    for number, each in enumerate(parts):
        pieces += (b"," if number else b"", encode(each.aggregate.name), b":", *json_array(each.dump()))
    return b"".join([*pieces, b"}"])


def _exact(value: Number | float) -> Number:
    """A number as it is staged: a float, which only the contract can allow, as the shortest text that gives it."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _canonical(value: Number) -> Number:
    """The one way in which all equal numbers are written: ``1`` for 1, 1.0 and 1E0."""
    number = Decimal(value).normalize(_EXACT)
    exponent = number.as_tuple().exponent
    return int(number) if isinstance(exponent, int) and 0 <= exponent < _AVERAGE.prec else number
