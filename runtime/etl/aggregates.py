"""Aggregates: count, sum, min, max and average over the records of a run, by group.

Each worker adds up what it sees; the gate merges. Sums are exact, whatever the order: decimal arithmetic
with room for every digit that DynamoDB's numbers can have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from etl.contract import Record
from etl.errors import RejectedError, TransformationError
from etl.plain_json import encode

MAX_GROUPS = 10_000
# From 10^125 down to 10^-130-37 a sum of 10^20 numbers has at most 313 digits: it is never rounded.
_EXACT = Context(prec=320)
# An average is rounded, to what a number of DynamoDB can hold.
_AVERAGE = Context(prec=38)
_FUNCTIONS = ("count", "sum", "min", "max", "avg")

Group = tuple[Any, ...]
Number = int | Decimal


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

    def add(self, other: "Sums") -> None:
        """Take in what another worker, or one more record, knows."""
        self.count += other.count
        self.sum = _EXACT.add(Decimal(self.sum), Decimal(other.sum))
        self.min = min((value for value in (self.min, other.min) if value is not None), default=None)
        self.max = max((value for value in (self.max, other.max) if value is not None), default=None)

    def result(self, function: str) -> Number | None:
        """The value of ``function``; None for a group without a number."""
        if function == "avg":
            return _AVERAGE.divide(Decimal(self.sum), Decimal(self.count)) if self.count else None
        value: Number | None = getattr(self, function)
        return value


class Accumulator:
    """One aggregate over the records that one worker, or the whole run, has seen."""

    def __init__(self, aggregate: Aggregate) -> None:
        self.aggregate = aggregate
        # By the group as JSON, which tells 1 from true and "1", and orders groups.
        self._groups: dict[bytes, tuple[Group, list[int], dict[str, Sums]]] = {}

    def prepare(self, record: Record) -> tuple[Group, dict[str, Sums]]:
        """What a record adds, checked and not yet added.

        Raises:
            RejectedError: an attribute that makes a group isn't text, a number, a truth value or absent, or one
                that is added up isn't a number or absent.
        """
        group = tuple(self._group_value(name, record.get(name)) for name in self.aggregate.by)
        sums = {name: self._number(name, record.get(name)) for name in self.aggregate.of}
        return group, sums

    def add(self, group: Group, sums: dict[str, Sums], records: int = 1) -> None:
        """Add what :meth:`prepare` returned, or what :meth:`dump` wrote.

        Raises:
            TransformationError: there are more groups than an aggregate may have.
        """
        key = encode(group)
        if key not in self._groups:
            if len(self._groups) >= MAX_GROUPS:
                raise TransformationError(
                    f"aggregate {self.aggregate.name} has more than {MAX_GROUPS:,} groups: "
                    "group by fewer or coarser attributes"
                )
            self._groups[key] = (group, [0], {name: Sums() for name in self.aggregate.of})
        _, counter, own = self._groups[key]
        counter[0] += records
        for name, added in sums.items():
            own[name].add(added)

    def dump(self) -> list[dict[str, Any]]:
        """The groups as a JSON document that :meth:`merge` reads."""
        return [
            {"group": group, "records": records, "of": {name: vars(sums) for name, sums in own.items()}}
            for group, (records,), own in self._sorted()
        ]

    def merge(self, dumped: Iterable[dict[str, Any]]) -> None:
        """Add what another worker dumped."""
        for entry in dumped:
            sums = {name: Sums(**values) for name, values in entry["of"].items()}
            self.add(tuple(entry["group"]), sums, entry["records"])

    def results(self) -> list[Record]:
        """A record a group, in a fixed order: its attributes, ``records``, and ``<attribute>_<function>`` each."""
        rows = []
        for group, (records,), own in self._sorted():
            row: Record = dict(zip(self.aggregate.by, group, strict=True)) | {"records": records}
            for name, functions in self.aggregate.of.items():
                row |= {f"{name}_{function}": own[name].result(function) for function in functions}
            rows.append(row)
        return rows

    def _sorted(self) -> list[tuple[Group, list[int], dict[str, Sums]]]:
        return [entry for _, entry in sorted(self._groups.items())]

    def _group_value(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, (int, Decimal, float)):
            return _canonical(_exact(value))
        raise RejectedError(name, f"text, a number or nothing, to group {self.aggregate.name} by", type(value).__name__)

    def _number(self, name: str, value: Any) -> Sums:
        if value is None:
            return Sums()
        if isinstance(value, (int, Decimal, float)) and not isinstance(value, bool):
            number = _exact(value)
            return Sums(1, number, number, number)
        raise RejectedError(name, f"a number or nothing, for {self.aggregate.name}", type(value).__name__)


def _exact(value: Number | float) -> Number:
    """A number as it is staged: a float, which only the contract can allow, as the shortest text that gives it."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _canonical(value: Number) -> Number:
    """The one way in which all equal numbers are written: ``1`` for 1, 1.0 and 1E0."""
    number = Decimal(value).normalize(_EXACT)
    exponent = number.as_tuple().exponent
    return int(number) if isinstance(exponent, int) and 0 <= exponent < _AVERAGE.prec else number
