"""Aggregates: count, sum, min, max and average over the records of a run, by group.

Each worker adds up what it sees; the gate merges. Sums are exact, whatever the order: decimal arithmetic
with room for every digit that DynamoDB's numbers can have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from typing import Any

from etl.contract import Record
from etl.errors import RejectedError, TransformationError
from etl.plain_json import encode

MAX_GROUPS = 10_000
# From 10^125 down to 10^-130-37 a sum of 10^20 numbers has at most 313 digits: it is never rounded.
_EXACT = Context(prec=320)
# An average is rounded, to what a number of DynamoDB can hold.
_AVERAGE = Context(prec=38)
_NUMBERS = frozenset((int, Decimal))
_FUNCTIONS = ("count", "sum", "min", "max", "avg")

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
        taken = {"records", *(("id", "timestamp") if self.load else ())} & set(self.by)
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


@dataclass
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


@dataclass(eq=False)
class _Row:
    """One group: its values, its records, and the sums of each attribute in the order of the aggregate's."""

    group: Group
    sums: list[Sums]
    records: int = 0


class Accumulator:
    """One aggregate over the records that one worker, or the whole run, has seen."""

    def __init__(self, aggregate: Aggregate) -> None:
        self.aggregate = aggregate
        self._by = tuple(aggregate.by)
        self._of = tuple(aggregate.of)
        # By the group itself if it is all of text, else as JSON, which tells 1 from true.
        self._rows: dict[Group | bytes, _Row] = {}

    def prepare(self, record: Record) -> Prepared:
        """What a record adds, checked and not yet added: its group, and a number for each attribute of ``of``.

        Raises:
            RejectedError: an attribute that makes a group isn't text, a number, a truth value or absent, or one
                that is added up isn't a number or absent.
        """
        group = tuple(map(record.get, self._by))
        for value in group:
            if type(value) is not str:
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
            TransformationError: there are more groups than an aggregate may have.
        """
        by_row: dict[_Row, list[Numbers]] = {}
        for group, numbers in prepared:
            by_row.setdefault(self._rows.get(group) or self._row(group), []).append(numbers)
        with localcontext(_EXACT):
            for row, records in by_row.items():
                row.records += len(records)
                for sums, numbers in zip(row.sums, zip(*records, strict=True), strict=False):
                    sums.add([number for number in numbers if number is not None])

    def dump(self) -> list[dict[str, Any]]:
        """The groups as a JSON document that :meth:`merge` reads."""
        return [
            {"group": row.group, "records": row.records, "of": dict(zip(self._of, map(vars, row.sums), strict=True))}
            for row in self._sorted()
        ]

    def merge(self, dumped: Iterable[dict[str, Any]]) -> None:
        """Add what another worker dumped.

        Raises:
            TransformationError: there are more groups than an aggregate may have.
        """
        for entry in dumped:
            row = self._row(tuple(entry["group"]))
            row.records += entry["records"]
            own = dict(zip(self._of, row.sums, strict=True))
            for name, values in entry["of"].items():
                own[name].merge(Sums(**values))

    def results(self) -> list[Record]:
        """A record a group, in a fixed order: its attributes, ``records``, and ``<attribute>_<function>`` each."""
        results = []
        for row in self._sorted():
            result: Record = dict(zip(self._by, row.group, strict=True)) | {"records": row.records}
            for (name, functions), sums in zip(self.aggregate.of.items(), row.sums, strict=True):
                result |= {f"{name}_{function}": sums.result(function) for function in functions}
            results.append(result)
        return results

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
            self._rows[key] = _Row(group, [Sums() for _ in self._of])
        return self._rows[key]

    def _group_value(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, (int, Decimal, float)):
            return _canonical(_exact(value))
        raise RejectedError(name, f"text, a number or nothing, to group {self.aggregate.name} by", type(value).__name__)

    def _number(self, name: str, value: Any) -> Number | None:
        if value is None:
            return None
        if isinstance(value, (int, Decimal, float)) and not isinstance(value, bool):
            return _exact(value)
        raise RejectedError(name, f"a number or nothing, for {self.aggregate.name}", type(value).__name__)


def _exact(value: Number | float) -> Number:
    """A number as it is staged: a float, which only the contract can allow, as the shortest text that gives it."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _canonical(value: Number) -> Number:
    """The one way in which all equal numbers are written: ``1`` for 1, 1.0 and 1E0."""
    number = Decimal(value).normalize(_EXACT)
    exponent = number.as_tuple().exponent
    return int(number) if isinstance(exponent, int) and 0 <= exponent < _AVERAGE.prec else number
