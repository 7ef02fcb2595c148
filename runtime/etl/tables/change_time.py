"""The time of an item's last change: which items DynamoDB picks for a window, and which of them belong to it.

A table writes that time in one of several formats. Each format has a rule with two halves. The filter picks the items
of a window in DynamoDB, and all items without a time that no window would find. Where neither text nor numbers order by
time, the filter picks more. The check then decides exactly, for each picked item.

A value covers a span of whole seconds, since a date covers a day. An item belongs to a window if the two have a second
in common. So an item that changed after a run read its day is read again by the next run.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from string import ascii_letters, punctuation
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from etl.model.change_time import ChangeTime, Format, zone_of
from etl.model.keys import raw_reader
from etl.model.rejection import RejectedError, UntimedError
from etl.model.run import Run
from etl.values.attribute_values import Record, type_name

AHEAD: Final = "ahead"
"""The verdict on a time at or after the run's own start: it belongs to a later run."""
OUTSIDE: Final = "outside"
"""The verdict on a time that the filter picked and that isn't in the window."""
EXCLUDED: Final = "excluded"
"""The verdict on an item without a time, where the settings exclude it."""
INCLUDED: Final = "included"
"""The verdict on an item without a time that passes, where the settings include it."""
LeftOut = Literal["ahead", "outside", "excluded"]
"""The verdicts, and the counts, of items that the run leaves out."""
Verdict = RejectedError | LeftOut | Literal["included"] | None
"""None: the item passes."""

EVER = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
"""A window with every time."""


ABSENT: Final = object()
"""The value of an attribute that an item doesn't have."""


class Span(NamedTuple):
    """A value's first and last second, in seconds since 1970."""

    first: int
    last: int


class Bounds(NamedTuple):
    """A window, and the start of its run, in seconds since 1970. ``whole`` for a run that takes any time."""

    start: int
    end: int
    now: int
    whole: bool = False

    def verdict(self, span: Span) -> Literal["ahead", "outside"] | None:
        """The verdict on a time."""
        if span.first >= self.now:
            return AHEAD
        return None if self.whole or (span.last >= self.start and span.first < self.end) else OUTSIDE


@lru_cache(maxsize=8)
def bounds(start: str, end: str, now: str, *, whole: bool = False) -> Bounds:
    """The bounds of a run.

    Args:
        start: first instant of the window, ``2024-01-15T00:00:00Z``.
        end: first instant after it, not after ``now``.
        now: when the run started; a fraction of a second is cut off.
        whole: whether the run takes items of any window.
    """
    return Bounds(_seconds(start), _seconds(end), _seconds(now), whole)


def bounds_of(run: Run) -> Bounds:
    """The bounds of a run. A replay takes items of any window: those that had no time may have one now."""
    return bounds(run.start, run.end, run.time, whole=run.replay is not None)


class _Map(msgspec.Struct):
    content: dict[str, msgspec.Raw] = msgspec.field(name="M", default_factory=dict)


class _Value(msgspec.Struct):
    text: str | None = msgspec.field(name="S", default=None)
    number: int | Decimal | None = msgspec.field(name="N", default=None)


_MISSING = msgspec.Raw(b"{}")
_maps = msgspec.json.Decoder(_Map)
_values = msgspec.json.Decoder(_Value, strict=False)


class Rule(ABC):
    """The rule of one format.

    Args:
        time: the attribute, its format, and the treatment of items without a time.
    """

    _expected: str
    _types: tuple[type, ...] = ()

    def __init__(self, time: ChangeTime) -> None:
        self._time = time
        # A path has short placeholders: see MOST_STEPS.
        placeholders = ("#time",) if len(time.path) == 1 else (f"#{letter}" for letter in ascii_letters)
        self._names = dict(zip(placeholders, time.path, strict=False))
        self._path = ".".join(self._names)
        self._top = raw_reader(time.path[0])

    def filter(self, run: Bounds) -> dict[str, Any]:
        """The part of a Scan request that picks the items of a window, and the items that no window would find."""
        conditions, values = self._conditions(run)
        return {
            "FilterExpression": " OR ".join(conditions).replace("@", self._path),
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": values,
        }

    def check(self, records: Sequence[Record], run: Bounds) -> list[Verdict]:
        """The verdict on the time of each record."""
        return [self.verdict(record, run) for record in records]

    def verdict(self, record: Record, run: Bounds) -> Verdict:
        """The verdict on the time of one record."""
        return self.verdict_on(self.value(record), run)

    def verdict_on(self, value: Any, run: Bounds) -> Verdict:
        """The verdict on a value, or on ``ABSENT``."""
        span = self.span(value)
        if span is not None:
            return run.verdict(span)
        if self._time.missing == "include":
            return INCLUDED
        return EXCLUDED if self._time.missing == "exclude" else self.untimed(value)

    def takes(self, value: Any, run: Bounds) -> bool:
        """Whether a run reads an item with this value as one of its own; an item without a time is one."""
        span = self.span(value)
        return self.picks(value, run) and (span is None or run.verdict(span) is None)

    @abstractmethod
    def picks(self, value: Any, run: Bounds) -> bool:
        """Whether the filter of a run picks an item with this value, or with ``ABSENT``, as DynamoDB decides it."""

    def value(self, record: Record) -> Any:
        """The attribute's value; ``ABSENT`` if there is none."""
        value: Any = record
        for name in self._time.path:
            value = value.get(name, ABSENT) if type(value) is dict else ABSENT
        return value

    def wire_value(self, line: bytes | msgspec.Raw) -> Any:
        """The attribute's value in an item of DynamoDB JSON, if it is text or a number; the rest is skipped."""
        found = self._top(line)[0]
        for name in self._time.path[1:]:
            found = _maps.decode(found).content.get(name, _MISSING)
        value = _values.decode(found)
        return value.number if value.text is None else value.text

    def is_after(self, line: bytes | msgspec.Raw, run: Bounds) -> bool:
        """Whether the time of an item of DynamoDB JSON is at or after the window's end."""
        value = self.wire_value(line)
        span = self.span(value)
        return span is not None and span.first >= run.end

    def untimed(self, value: Any) -> UntimedError:
        """The reason why a value isn't a time."""
        field = self._time.text
        if value is ABSENT:
            return UntimedError("is missing", field=field)
        got = _shown(value) if type(value) in self._types else f"an attribute of type {type_name(value)}"
        return UntimedError(self._expected, field=field, got=got)

    @abstractmethod
    def _conditions(self, run: Bounds) -> tuple[Sequence[str], dict[str, Any]]:
        """The alternative conditions of the filter, with ``@`` for the attribute, and their values."""

    @abstractmethod
    def span(self, value: Any) -> Span | None:
        """The seconds of a value; None if it is no time."""


_SECOND, _MINUTE, _DAY = 1, 60, 24 * 60 * 60
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The seconds of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59Z."""
_DATE, _CLOCK, _SECONDS = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]",
    r":[0-5][0-9](?:\.[0-9]+)?",
)


_EARLIEST = "0001-01-01"
"""No text of a time sorts before it."""


class _TextFormat(NamedTuple):
    """A format of text.

    Attributes:
        shape: a regular expression of its values.
        expected: an example in words, for a rejection.
        shortest: the length of its shortest values.
        signs: characters of every value.
        others: further characters of some values, besides digits.
        margin: the most seconds between the time as it is written and UTC; 0 if text orders exactly by time.
        longer: a character of every longer value; empty if there is none, None if no value is longer.
    """

    shape: str
    expected: str
    shortest: int
    signs: str
    others: str
    margin: int = 0
    longer: str | None = ""

    def may_be_longer(self, value: str) -> bool:
        """Whether a text that is longer than the shortest values may be a value."""
        return self.longer is not None and self.longer in value


_TEXTS: dict[Format, _TextFormat] = {
    "iso": _TextFormat(
        rf"{_DATE}T{_CLOCK}{_SECONDS}Z",
        "expected a time in UTC such as 2024-01-15T10:00:00Z",
        20,
        "-T:Z",
        ".",
        longer=".",
    ),
    # No zone of today is more than 14 hours from UTC; the text may say up to 23:59.
    "iso_offset": _TextFormat(
        rf"{_DATE}[T ]{_CLOCK}(?:{_SECONDS})?(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])",
        "expected a time with its offset such as 2024-01-15T10:00:00+01:00",
        17,
        "-:",
        "T Z+.",
        _DAY,
    ),
    # Local mean time was up to 16 hours from UTC (Asia/Manila, before 1845).
    "iso_local": _TextFormat(
        rf"{_DATE}[T ]{_CLOCK}(?:{_SECONDS})?",
        "expected a time without a zone such as 2024-01-15T10:00:00",
        16,
        "-:",
        "T .",
        _DAY,
    ),
    "date": _TextFormat(_DATE, "expected a date such as 2024-01-15", 10, "-", "", longer=None),
}


class _TextRule(Rule):
    """A format of text: DynamoDB compares it as text."""

    _types = (str,)

    def __init__(self, time: ChangeTime) -> None:
        super().__init__(time)
        self._format = _TEXTS[time.format]
        self._expected = self._format.expected
        self._shapes = re.compile(rf"(?:{self._format.shape}\n)*+")
        self._zone = zone_of(time.zone)
        self._foreign = sorted({*ascii_letters, *punctuation, " "} - {*self._format.signs, *self._format.others})
        self._known = lru_cache(maxsize=4096)(self._span)

    def check(self, records: Sequence[Record], run: Bounds) -> list[Verdict]:
        """The verdict on the time of each record: one look at all of them, since nearly all pass."""
        if self._time.format == "iso" and len(self._time.path) == 1:
            try:
                texts = [record[self._time.path[0]] for record in records]
                if self._all_times(texts) and max(texts, default="") < _text(run.now, "T"):
                    # The filter is exact, and a replay takes any window.
                    return [None] * len(records)
            except (KeyError, TypeError):  # a time is missing or isn't text
                pass
        return super().check(records, run)

    def _all_times(self, texts: list[str]) -> bool:
        """Whether each of these texts is a time: one match for all of them."""
        lines = "\n".join((*texts, ""))
        # A text with a line break of its own would pass for two.
        shaped = lines.count("\n") == len(texts) and self._shapes.fullmatch(lines) is not None
        return shaped and all(map(_is_date, {text[:10] for text in texts}))

    def span(self, value: Any) -> Span | None:
        """The seconds of a value; None if it is no time."""
        return self._known(value) if type(value) is str and self._all_times([value]) else None

    def _span(self, text: str) -> Span:
        if self._time.format == "date":
            first = _seconds(f"{text}T00:00:00Z")
            return Span(first, first + _DAY - 1)
        written = text[:19] if len(text) > 18 and text[16] == ":" else f"{text[:16]}:00"
        last = (_SECOND if written == text[:19] else _MINUTE) - 1
        wall = _seconds(written.replace(" ", "T") + "Z")
        if self._time.format == "iso_local":
            offsets = _offsets(self._zone, wall)
            return Span(wall - max(offsets), wall - min(offsets) + last)
        offset = _offset(text)
        return Span(wall - offset, wall - offset + last)

    def picks(self, value: Any, run: Bounds) -> bool:
        """Whether the filter picks an item with this value: the conditions of the filter, in Python."""
        if type(value) is not str:
            return True
        form, (start, end, now) = self._format, self._edges(run)
        return (
            start <= value < end
            or value >= now
            or value < _EARLIEST
            or len(value) < form.shortest
            or not all(sign in value for sign in form.signs)
            or any(sign in value for sign in self._foreign)
            or (len(value) > form.shortest and not form.may_be_longer(value))
        )

    def _edges(self, run: Bounds) -> tuple[str, str, str]:
        """The texts between which DynamoDB looks for a window, and the text from which it looks for no time."""
        if self._time.format == "date":
            start, end, now = (_text(each, "T")[:10] for each in (run.start, run.end + _DAY - 1, run.now + _DAY - 1))
        elif margin := self._format.margin:
            start = _text(run.start - margin, " ")[:16]
            end, now = (_text(each + margin + _MINUTE, "T")[:16] for each in (run.end, run.now))
        else:
            start, end, now = (_text(each, "T") for each in (run.start, run.end, run.now))
        return start, end, now

    def _conditions(self, run: Bounds) -> tuple[Sequence[str], dict[str, Any]]:
        form, (start, end, now) = self._format, self._edges(run)
        signs = {f":sign{number}": sign for number, sign in enumerate(form.signs)}
        no_signs = {f":no{number}": sign for number, sign in enumerate(self._foreign)}
        texts = {":start": start, ":end": end, ":now": now, ":string": "S", ":first": _EARLIEST, **signs, **no_signs}
        conditions = [
            "(@ >= :start AND @ < :end)",
            "@ >= :now",
            "attribute_not_exists(@)",
            "NOT attribute_type(@, :string)",
            "size(@) < :shortest",
            "@ < :first",
            *(f"NOT contains(@, {name})" for name in signs),
            *(f"contains(@, {name})" for name in no_signs),
        ]
        if form.longer == ".":
            conditions.append("(size(@) > :shortest AND NOT contains(@, :dot))")
            texts[":dot"] = form.longer
        if form.longer is None:
            conditions.append("size(@) > :shortest")
        values = {name: {"S": text} for name, text in texts.items()}
        return conditions, values | {":shortest": {"N": str(form.shortest)}}


_PER_SECOND: dict[Format, int] = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")


class _EpochRule(Rule):
    """A number of units since 1970, or text with such a number, which DynamoDB can't order: it picks all texts."""

    _types = (str, int, Decimal)

    def __init__(self, time: ChangeTime) -> None:
        super().__init__(time)
        self._unit = _PER_SECOND[time.format]
        unit = {1: "seconds", 10**3: "milliseconds", 10**6: "microseconds", 10**9: "nanoseconds"}[self._unit]
        self._expected = f"expected {unit} since 1970, before the year 10000, as a number or as its text"

    def check(self, records: Sequence[Record], run: Bounds) -> list[Verdict]:
        """The verdict on the time of each record: one look at all of them, since nearly all pass."""
        if len(self._time.path) == 1:
            values: list[Any] = [record.get(self._time.path[0]) for record in records]
            if {int}.issuperset(map(type, values)) and self._are_in(values, run):
                return [None] * len(records)
        return super().check(records, run)

    def _are_in(self, values: list[int], run: Bounds) -> bool:
        start, end = run.start * self._unit, run.end * self._unit
        return not run.whole and start <= min(values, default=start) and max(values, default=start) < end

    def span(self, value: Any) -> Span | None:
        """The seconds of a value; None if it is no time."""
        if type(value) is str and _NUMBER.fullmatch(value):
            value = Decimal(value)
        if type(value) not in (int, Decimal) or not _FIRST * self._unit <= value < (_LAST + 1) * self._unit:
            return None
        second = _floor(value, self._unit)
        return Span(second, second)

    def picks(self, value: Any, run: Bounds) -> bool:
        """Whether the filter picks an item with this value: the conditions of the filter, in Python."""
        if type(value) not in (int, Decimal):
            return True
        start, end, first, last = self._edges(run)
        return bool(start <= value < end or value < first or value >= last)

    def _edges(self, run: Bounds) -> tuple[int, int, int, int]:
        """The numbers of a window's bounds, and those between which a number is a time."""
        start, end, first, last = (second * self._unit for second in (run.start, run.end, _FIRST, _LAST + 1))
        return start, end, first, last

    def _conditions(self, run: Bounds) -> tuple[Sequence[str], dict[str, Any]]:
        edges = zip((":start", ":end", ":first", ":last"), self._edges(run), strict=True)
        values = {name: {"N": str(number)} for name, number in edges}
        return ("(@ >= :start AND @ < :end)", "NOT attribute_type(@, :number)", "@ < :first", "@ >= :last"), {
            **values,
            ":number": {"S": "N"},
        }


class _NoRule(Rule):
    """The table has no such attribute: every run reads all items."""

    def filter(self, _run: Bounds) -> dict[str, Any]:
        """Pick every item."""
        return {}

    def check(self, records: Sequence[Record], _run: Bounds) -> list[Verdict]:
        """Every item passes."""
        return [None] * len(records)

    def verdict_on(self, _value: Any, _run: Bounds) -> Verdict:
        """Every item passes."""
        return None

    def span(self, _value: Any) -> Span | None:
        """No value has a time."""
        return None

    def picks(self, _value: Any, _run: Bounds) -> bool:
        """Every item is picked."""
        return True

    def _conditions(self, _run: Bounds) -> tuple[Sequence[str], dict[str, Any]]:
        return (), {}


@lru_cache
def rule_of(time: ChangeTime) -> Rule:
    """The rule of a table's change time."""
    if time.format == "none":
        return _NoRule(time)
    return _TextRule(time) if time.format in _TEXTS else _EpochRule(time)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _seconds(text: str) -> int:
    """The whole second of an instant of UTC with seconds, ``2024-01-15T10:00:00.123Z``."""
    passed = datetime.fromisoformat(f"{text[:19]}+00:00") - _EPOCH
    return passed.days * _DAY + passed.seconds


@lru_cache(maxsize=64)  # each batch of records asks for the same bound
def _text(second: int, separator: str) -> str:
    """A second as text of UTC without a zone; the nearest one of the years 1 to 9999."""
    instant = _EPOCH + timedelta(seconds=min(max(second, _FIRST), _LAST))
    return instant.replace(tzinfo=None).isoformat(separator)


def _offset(text: str) -> int:
    """The offset at the end of a time, in seconds."""
    if text.endswith("Z"):
        return 0
    sign, offset = (text[-6], text[-5:]) if text[-3] == ":" else (text[-5], text[-4:])
    seconds = int(offset[:2]) * 60 * 60 + int(offset[-2:]) * _MINUTE
    return -seconds if sign == "-" else seconds


def _offsets(zone: tzinfo, wall: int) -> tuple[int, int]:
    """The zone's offsets at a time of its clocks, in seconds: two in the hours of a change, otherwise two alike.

    A time that clocks show twice may be either. A time that they skip is read by both offsets too.
    """
    clock = _EPOCH.replace(tzinfo=None) + timedelta(seconds=wall)
    first, second = (clock.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return int(cast(timedelta, first).total_seconds()), int(cast(timedelta, second).total_seconds())


def _floor(value: int | Decimal, unit: int) -> int:
    if type(value) is int:
        return value // unit
    whole = int(value)  # towards zero
    return (whole if value >= whole else whole - 1) // unit


def _shown(value: str | int | Decimal) -> str:
    return repr(value[:40]) if isinstance(value, str) else str(value)[:40]


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
