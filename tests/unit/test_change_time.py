"""The set of items that a run takes, in each format, against an oracle that is written without the product's code."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from etl.model.change_time import ChangeTime, Format
from etl.tables.change_time import bounds, rule_of
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
