"""Candidates for the cursor: the attributes that may say when an item changed last.

The values are read by the rules of ``etl.tables.change_time``, as a run reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, get_args

from etl.model.change_time import MOST_STEPS, ChangeTime, Format, parse_path
from etl.tables.change_time import Rule, rule_of
from etl.values.attribute_values import Record
from etl_cli.proposal.profile import Profile, Values
from etl_cli.terminal.errors import UserError

FORMATS: tuple[Format, ...] = tuple(each for each in get_args(Format) if each != "none")
"""All formats with values, the stricter ones of text first."""
NO_TIME = ChangeTime(path=("none",), format="none")

Word = Literal["change", "other", "beginning"]
"""The meaning of a name: a change, a beginning such as the item's creation, or neither."""

_CHANGE = re.compile(r"upd|modif|chang|touch|edit|lastseen|mtime|\bts\b|timestamp", re.IGNORECASE)
_BEGINNING = re.compile(
    r"creat|insert|added|born|birth|start|begin|open|order(?:ed)?_?(?:at|on|date)|since|release", re.I
)
# Every time in any format begins so; most other texts don't, and are told apart quickly.
_BEGINS = re.compile(r"[0-9-]")
# A number before that year is rather an amount or an id than a time.
_EARLIEST_NUMBER = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
_DAY = 24 * 60 * 60
# Values of an attribute that are a time, at least; values in the future, at most.
_MOSTLY, _MOST_AHEAD = 0.8, 0.1
_MOST_PATHS = 200


@dataclass
class Reading:
    """The values of one attribute, read in one format.

    Attributes:
        time: the attribute and the format.
        items: the number of items in the sample.
        values: the number of items that have the attribute.
        times: the number of values that are times.
        plausible: the number of times that a clock of these decades may have written.
        ahead: the number of times that lie a day or more in the future.
        recent: the number of times of the last day.
        earliest: the first time, in seconds since 1970.
        latest: the last time that isn't ahead; None if there is none.
    """

    time: ChangeTime
    items: int
    values: int = 0
    times: int = 0
    plausible: int = 0
    ahead: int = 0
    recent: int = 0
    earliest: int | None = None
    latest: int | None = None
    rule: Rule = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the format's rule."""
        self.rule = rule_of(self.time)

    def add(self, value: Any, now: int) -> None:
        """Read a value."""
        self.values += 1
        if isinstance(value, str) and not _BEGINS.match(value):
            return
        span = self.rule.span(value)
        if span is None:
            return
        self.times += 1
        self.ahead += span.first > now + _DAY
        is_text = isinstance(value, str) and not _is_number(value)
        self.plausible += is_text or _EARLIEST_NUMBER <= span.first < 2 * now
        self.recent += now - _DAY <= span.last and span.first <= now
        self.earliest = span.first if self.earliest is None else min(self.earliest, span.first)
        if span.first <= now + _DAY:
            self.latest = span.first if self.latest is None else max(self.latest, span.first)

    @property
    def share(self) -> float:
        """The share of the items that have a time here."""
        return self.times / self.items if self.items else 0.0

    @property
    def word(self) -> Word:
        """The meaning of its name."""
        name = self.time.path[-1]
        return "change" if _CHANGE.search(name) else "beginning" if _BEGINNING.search(name) else "other"

    @property
    def is_candidate(self) -> bool:
        """Whether it may be the time of a change."""
        return (
            self.times > 0
            and self.times >= _MOSTLY * self.values
            and self.plausible >= _MOSTLY * self.times
            and self.ahead <= _MOST_AHEAD * self.times
        )

    @property
    def is_expiry(self) -> bool:
        """Whether most of its times are in the future, as those of a TTL."""
        return self.time.format == "epoch_s" and 2 * self.ahead > max(1, self.times)

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among the candidates, the best first: by its name, and by the share in steps of a tenth."""
        return get_args(Word).index(self.word), -round(10 * self.share)


def readings(records: Iterable[Record], profile: Profile, now: datetime) -> list[Reading]:
    """The reading of each attribute that may hold times, in the format that takes most of its values."""
    tried: dict[tuple[str, ...], list[Reading]] = {}
    for path, values in profile.paths():
        if len(path) <= MOST_STEPS and len(tried) < _MOST_PATHS and _may_hold_times(values) and is_writable(path):
            tried[path] = [Reading(ChangeTime(path=path, format=each), profile.items) for each in _formats(values)]
    second = int(now.timestamp())
    for record in records:
        for path, each in tried.items():
            value = _value(record, path)
            if value is not None:
                for reading in each:
                    reading.add(value, second)
    found = [max(each, key=lambda reading: (reading.plausible, reading.times)) for each in tried.values()]
    return [each for each in found if each.times]


def candidates(found: Iterable[Reading], expiring: Iterable[tuple[str, ...]] = ()) -> list[Reading]:
    """The candidates among readings, the best first."""
    usable = [each for each in found if each.is_candidate and each.time.path not in set(expiring)]
    return sorted(usable, key=lambda each: (each.rank, -each.share, len(each.time.path), each.time.path))


def is_clear(found: list[Reading]) -> bool:
    """Whether the first candidate is better than the second."""
    return len(found) < 2 or found[0].rank < found[1].rank


def read_as(path_text: str, form: Format | None, records: Iterable[Record], now: datetime) -> Reading:
    """The reading of a path that you chose, in your format or in the one that takes most values.

    Raises:
        UserError: it is no path, or none of its values is such a time.
    """
    try:
        path = parse_path(path_text)
    except ValueError as error:
        raise UserError(f"--cursor {path_text!r} is no path of an attribute: {error}.") from None
    records = list(records)
    tried = [Reading(ChangeTime(path=path, format=each), len(records)) for each in ([form] if form else FORMATS)]
    for record in records:
        value = _value(record, path)
        if value is not None:
            for reading in tried:
                reading.add(value, int(now.timestamp()))
    best = max(tried, key=lambda reading: (reading.plausible, reading.times))
    if not best.times and (records or not form):
        as_format = f"as {form}" if form else "in any format"
        raise UserError(
            f"None of the {len(records):,} sampled items has a time {as_format} in {path_text}.",
            "Give another --cursor or --cursor-format; docs/tables.md lists the formats. --cursor none reads the whole "
            "table in each run.",
        )
    return best


def is_writable(path: tuple[str, ...]) -> bool:
    """Whether the setting can have this path: blanks around a setting's text are cut off."""
    text = ChangeTime(path=path).text
    return text == text.strip()


def _may_hold_times(values: Values) -> bool:
    return bool(values.types["S"] + values.types["N"])


def _formats(values: Values) -> list[Format]:
    return list(FORMATS if values.types["S"] else (each for each in FORMATS if each.startswith("epoch")))


def _value(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if type(record) is dict else None
    return record


def _is_number(text: str) -> bool:
    try:
        return bool(Decimal(text).is_finite())
    except ArithmeticError:
        return False
