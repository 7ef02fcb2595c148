"""The set of items that a run takes, in each format, against an oracle that is written without the product's code."""

import random
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.model.change_time import ChangeTime, Format, zone_of
from etl.model.rejection import UntimedError
from etl.tables.change_time import AHEAD, OUTSIDE, bounds, rule_of
from etl.values.attribute_values import from_wire
from tests.fakes.filter_expression import matches
from tests.unit.builders import array

ITEMS = 10_000
# The clocks of Berlin go back at the end of the first window's day, and forward in the second.
WINDOWS = [
    (datetime(2024, 10, 26, 23, 45, tzinfo=UTC), datetime(2024, 10, 27, 2, 0, tzinfo=UTC)),
    (datetime(2024, 3, 31, 0, 59, 7, tzinfo=UTC), datetime(2024, 3, 31, 3, 0, 9, tzinfo=UTC)),
    (datetime(1969, 12, 31, 12, 0, tzinfo=UTC), datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Value:
    """A value of the change time, and the whole of the time that it may mean: from ``first`` up to ``end``."""

    wire: dict[str, Any]
    first: Fraction
    end: Fraction


def exact(instant: datetime, nanoseconds: int = 0) -> Fraction:
    passed = instant - EPOCH
    return (
        Fraction(passed.days * 86_400 + passed.seconds)
        + Fraction(passed.microseconds, 10**6)
        + Fraction(nanoseconds, 10**9)
    )


def point(wire: dict[str, Any], at: Fraction) -> Value:
    return Value(wire, at, at)


def iso(instant: datetime, dice: random.Random) -> Value:
    digits = "".join(dice.choices("0123456789", k=dice.randint(0, 12)))
    second = instant.replace(microsecond=0)
    fraction = Fraction(int(digits or 0), 10 ** len(digits))
    text = second.strftime("%Y-%m-%dT%H:%M:%S") + (f".{digits}" if digits else "") + "Z"
    return point({"S": text}, exact(second) + fraction)


def clock(wall: datetime, dice: random.Random) -> tuple[str, timedelta]:
    """A wall clock's text, and the time that it leaves open."""
    kind = dice.choice(["minutes", "seconds", "milliseconds", "microseconds"])
    text = wall.replace(tzinfo=None).isoformat(dice.choice("T "), kind)
    return text, {"minutes": timedelta(minutes=1), "seconds": timedelta(seconds=1)}.get(kind, timedelta(0))


def iso_offset(instant: datetime, dice: random.Random) -> Value:
    minutes = dice.choice([0, 60, -330, 345, 840, -720, 1439, -1439])
    wall = instant.astimezone(timezone(timedelta(minutes=minutes)))
    text, open_time = clock(wall, dice)
    sign, minutes = ("-" if minutes < 0 else "+"), abs(minutes)
    offsets = [f"{sign}{minutes // 60:02d}:{minutes % 60:02d}", f"{sign}{minutes // 60:02d}{minutes % 60:02d}"]
    text += dice.choice([*offsets, "Z"] if minutes == 0 else offsets)
    first = datetime.fromisoformat(text)
    return Value({"S": text}, exact(first), exact(first + open_time))


def iso_local(instant: datetime, dice: random.Random) -> Value:
    text, open_time = clock(instant.astimezone(BERLIN), dice)
    plain = datetime.fromisoformat(text)
    may_be = [exact(plain.replace(tzinfo=BERLIN, fold=fold).astimezone(UTC)) for fold in (0, 1)]
    return Value({"S": text}, min(may_be), max(may_be) + Fraction(open_time.total_seconds()))


def day(instant: datetime, _: random.Random) -> Value:
    midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return Value({"S": midnight.strftime("%Y-%m-%d")}, exact(midnight), exact(midnight + timedelta(days=1)))


def epoch(unit: int) -> Callable[[datetime, random.Random], Value]:
    def write(instant: datetime, dice: random.Random) -> Value:
        units = int(exact(instant) * unit)
        number = Decimal(units)
        if dice.random() < 0.3:
            number += Decimal(dice.randint(0, 999)) / 1000
        text = dice.choice([str(number), format(number, "f"), f"{number:E}"])
        return point({dice.choice("NNNS"): text}, Fraction(Decimal(text)) / unit)

    return write


FORMATS: dict[Format, Callable[[datetime, random.Random], Value]] = {
    "iso": iso,
    "iso_offset": iso_offset,
    "iso_local": iso_local,
    "date": day,
    "epoch_s": epoch(1),
    "epoch_ms": epoch(10**3),
    "epoch_us": epoch(10**6),
    "epoch_ns": epoch(10**9),
}


def near(start: datetime, end: datetime, dice: random.Random) -> datetime:
    """An instant close to a bound, within a day of the window, or anywhere."""
    bound = dice.choice([start, end])
    distance = dice.choice([timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=30)])
    if dice.random() < 0.1:
        return EPOCH + timedelta(seconds=dice.randint(-3 * 10**9, 3 * 10**9))
    return bound + distance * dice.randint(-3, 3) + timedelta(microseconds=dice.choice([0, 0, 1, 999_999]))


@pytest.mark.parametrize("window", WINDOWS, ids=["back", "forward", "1970"])
@pytest.mark.parametrize("form", FORMATS)
def test_the_taken_items_are_those_of_the_oracle(form: Format, window: tuple[datetime, datetime]) -> None:
    dice = random.Random(form)
    start, end = window
    now = end + timedelta(hours=2)
    values = [FORMATS[form](near(start, end, dice), dice) for _ in range(ITEMS)]
    time = ChangeTime(path=("timestamp",), format=form, zone="Europe/Berlin")
    run = bounds(*(f"{each:%Y-%m-%dT%H:%M:%S}Z" for each in (start, end, now)))

    picks = matches(rule_of(time).filter(run))
    picked = [number for number, value in enumerate(values) if picks({"timestamp": value.wire})]
    verdicts = rule_of(time).check(from_wire(array([{"timestamp": values[number].wire} for number in picked])), run)
    taken = {number for number, verdict in zip(picked, verdicts, strict=True) if verdict is None}

    # A span without length is one instant.
    expected = {
        number
        for number, value in enumerate(values)
        if value.first < exact(end) and (value.end > exact(start) or value.first == value.end == exact(start))
    }
    assert taken == expected
    assert ITEMS / 10 < len(taken) < ITEMS * 9 / 10
    assert {verdict for verdict in verdicts if verdict} <= {"ahead", "outside"}


NOW = "2024-01-16T02:00:00Z"
SINCE_EVER = bounds("0001-01-01T00:00:00Z", NOW, NOW)
SHAPES = [
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}\.?[0-9]{0,3}",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}(Z|[+-][0-9]{2}:?[0-9]{2})",
    r"-?[0-9]{1,20}(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
]
TEXTS = st.one_of(
    st.text(max_size=30),
    st.text("0123456789-T:Z. +\xe9", min_size=8, max_size=30),
    *(st.from_regex(shape, fullmatch=True) for shape in SHAPES),
)
WIRE = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    st.decimals(allow_nan=False, allow_infinity=False, places=2).map(lambda number: {"N": str(number)}),
    st.sampled_from([{"NULL": True}, {"BOOL": True}, {"B": "MjAyNA=="}, {"M": {}}, {"SS": ["2024-01-15"]}]),
)


@pytest.mark.parametrize("form", FORMATS)
@given(wire=WIRE)
@example(wire={"S": "2023-02-29"})
@example(wire={"S": "2024-01-15\n"})
@example(wire={"S": "0000-01-01T00:00:00Z"})
@example(wire={"S": "9999-12-31T23:59:60+00:00"})
@example(wire={"S": "9999-99-99 00:00"})
@example(wire={"S": "10000-01-01"})
@example(wire={"N": "1E+100"})
@example(wire={"S": "1E999"})
def test_a_malformed_time_is_read_and_set_aside_in_some_window(form: Format, wire: dict[str, Any]) -> None:
    rule = rule_of(ChangeTime(path=("timestamp",), format=form, zone="Europe/Berlin"))
    item = {"timestamp": wire}
    (record,) = from_wire(array([item]))

    if rule.span(record["timestamp"]) is None:
        assert matches(rule.filter(SINCE_EVER))(item)
        assert isinstance(rule.verdict(record, SINCE_EVER), UntimedError)


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("2024-10-27 01:59:59", ["2024-10-26T23"]),
        ("2024-10-27 02:00:00", ["2024-10-27T00", "2024-10-27T01"]),  # clocks go back at 03:00
        ("2024-10-27 02:59", ["2024-10-27T00", "2024-10-27T01"]),
        ("2024-10-27 03:00:00", ["2024-10-27T02"]),
        ("2024-03-31 01:59:59", ["2024-03-31T00"]),
        ("2024-03-31 02:00:00", ["2024-03-31T00", "2024-03-31T01"]),  # clocks go forward at 02:00
        ("2024-03-31 02:59:59.999", ["2024-03-31T00", "2024-03-31T01"]),
        ("2024-03-31 03:00:00", ["2024-03-31T01"]),
    ],
)
def test_a_time_in_the_hour_of_a_clock_change_is_read_by_both_its_hours(text: str, windows: list[str]) -> None:
    rule = rule_of(ChangeTime(path=("timestamp",), format="iso_local", zone="Europe/Berlin"))
    hours = [datetime.fromisoformat(f"{text[:10]}T00:00:00+00:00") + timedelta(hours=hour) for hour in range(-2, 6)]
    taken = []
    for start in hours:
        run = bounds(*(f"{start + timedelta(hours=each):%Y-%m-%dT%H:%M:%SZ}" for each in (0, 1, 9)))
        if matches(rule.filter(run))({"timestamp": {"S": text}}) and not rule.verdict({"timestamp": text}, run):
            taken.append(f"{start:%Y-%m-%dT%H}")

    assert taken == windows


@pytest.mark.parametrize(
    ("path", "record", "verdict"),
    [
        (("a.b",), {"a.b": "2024-01-15"}, None),
        (("a", "b"), {"a": {"b": "2024-01-15"}}, None),
        (("a", "b.c"), {"a": {"b.c": "2024-01-17"}}, AHEAD),
        (("a", "b"), {"a": {"b": "2024-01-13"}}, OUTSIDE),
    ],
)
def test_a_path_leads_into_maps(path: tuple[str, ...], record: dict[str, Any], verdict: str | None) -> None:
    run = bounds("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", "2024-01-16T02:00:00Z")

    assert rule_of(ChangeTime(path=path, format="date")).verdict(record, run) == verdict


def test_a_zone_is_found_where_the_system_has_none() -> None:
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=[])
    try:
        assert datetime(2024, 7, 1, tzinfo=zone_of.__wrapped__("Asia/Kolkata")).utcoffset() == timedelta(hours=5.5)
    finally:
        zoneinfo.reset_tzpath()


def epoch_bounds(unit: int) -> list[str]:
    start, end = 1_705_276_800 * unit, 1_705_363_200 * unit
    return [str(start - 1), str(start), str(end - 1), str(end)]


BOUNDS: list[tuple[Format, list[str]]] = [
    *(
        (form, [f"2024-01-{day}{clock}Z" for day, clock in days])
        for form in ("iso", "iso_offset")
        for days in [
            [("14", "T23:59:59"), ("15", "T00:00:00"), ("15", "T23:59:59"), ("16", "T00:00:00")],
            [
                ("14", "T23:59:59.999999999"),
                ("15", "T00:00:00.0"),
                ("15", "T23:59:59.999999999"),
                ("16", "T00:00:00.0"),
            ],
        ]
    ),
    ("iso_offset", [f"2024-01-{each}+01:00" for each in ("15 00:59", "15 01:00", "16 00:59", "16 01:00")]),
    ("iso_offset", [f"2024-01-{each}-0530" for each in ("14T18:29", "14T18:30", "15T18:29", "15T18:30")]),
    ("iso_local", [f"2024-01-{each}" for each in ("15 00:59:59.9", "15 01:00:00", "16T00:59:59.9", "16 01:00")]),
    ("date", ["2024-01-14", "2024-01-15", "2024-01-15", "2024-01-16"]),
    ("epoch_s", epoch_bounds(1)),
    ("epoch_s", ["1705276799.999999999", "1705276800.0", "1705363199.999999999", "1.7053632E9"]),
    ("epoch_ms", epoch_bounds(10**3)),
    ("epoch_us", epoch_bounds(10**6)),
    ("epoch_ns", epoch_bounds(10**9)),
]


@pytest.mark.parametrize(
    ("form", "kind", "values"),
    [(form, kind, values) for form, values in BOUNDS for kind in ("SN" if form.startswith("epoch") else "S")],
)
def test_the_bounds_of_a_window_are_right_to_one_unit(form: Format, kind: str, values: list[str]) -> None:
    rule = rule_of(ChangeTime(path=("t",), format=form, zone="Europe/Berlin"))
    run = bounds("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", "2024-01-16T02:00:00Z")
    items = [{"t": {kind: value}} for value in values]
    verdicts = rule.check(from_wire(array(items)), run)

    picks = matches(rule.filter(run))
    assert [picks(item) and verdict is None for item, verdict in zip(items, verdicts, strict=True)] == [
        False,
        True,
        True,
        False,
    ]
