"""Six tables that exist before their pipelines, and an oracle of what each run loads of them.

The oracle knows the tables, and nothing of the product: it reads times by datetime and zoneinfo, and numbers as
fractions.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from etl.model.names import Names
from tests.etl_pipeline.values import Canonical, Item, of_boto3, read

Changes = Mapping[str, dict[str, Any] | None]
"""Attributes that an item gets; it loses one that is None."""
Loaded = dict[tuple[Canonical, ...], dict[str, Canonical]]

LOADED, ASIDE, LEFT_OUT, EXCLUDED = "loaded", "quarantined", "not read", "excluded"
"""The fates of an item in a run, in the words of `etl explain`."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
EVERY_TYPE: Item = {
    "amount": {"N": "-1.2345678912345678912345678912345678912"},
    "tags": {"SS": ["b", "a", "ü"]},
    "sizes": {"NS": ["1", "-2.50", "9.9E+125"]},
    "hashes": {"BS": [b"\x00", b"\xff\x00"]},
    "content": {"B": bytes(range(256))},
    "address": {"M": {"lines": {"L": [{"S": ""}, {"N": "1E-130"}, {"BOOL": False}]}, "a.b": {"M": {}}}},
}
BAD_AMOUNTS: tuple[Changes, ...] = ({"amount": None}, {"amount": {"S": "12"}})


class Window(NamedTuple):
    """A window of runs."""

    start: datetime
    end: datetime

    def has(self, span: Span) -> bool:
        """Whether it has a part of the time that a value may mean."""
        start, end = exact(self.start), exact(self.end)
        return span.first < end and (span.after > start or span.first == span.after == start)


class Span(NamedTuple):
    """The time that a value may mean: its first instant, and the one after its last, in seconds since 1970.

    The two are the same for an instant.
    """

    first: Fraction
    after: Fraction


# It begins within the hours that the clocks of Berlin show twice, and ends within a day.
WINDOW = Window(datetime(2024, 10, 27, 0, 30, tzinfo=UTC), datetime(2024, 10, 28, 12, tzinfo=UTC))
OLDER = (
    Window(datetime(2024, 10, 24, tzinfo=UTC), datetime(2024, 10, 25, tzinfo=UTC)),
    Window(datetime(2024, 10, 25, tzinfo=UTC), datetime(2024, 10, 26, tzinfo=UTC)),
)


class Table(ABC):
    """A table with items, and the destination that its pipeline shall make of them.

    Attributes:
        pipeline: the pipeline's name.
        name: the table's name.
        key: the attributes of its key, with their types.
        copy: the name of the destination, if it exists too.
        copy_key: the key of the destination, if it is another one.
        untimed: the fate of an item without a time.
        no_times: changes that leave an item without a time.
        no_keys: changes that leave an item without a key for the destination.
        items: the items.
        loaded: the destination's items by their keys, by the oracle.
    """

    pipeline: ClassVar[str]
    name: ClassVar[str]
    key: ClassVar[dict[str, str]]
    copy: ClassVar[str] = ""
    copy_key: ClassVar[dict[str, str]] = {}
    untimed: ClassVar[str] = ASIDE
    no_times: ClassVar[tuple[Changes, ...]] = ()
    no_keys: ClassVar[tuple[Changes, ...]] = ()

    def __init__(self) -> None:
        dice = random.Random(self.name)
        self.loaded: Loaded = {}
        self.items = [EVERY_TYPE | self.item(number, time, dice) for number, time in enumerate(times(dice))]
        spoilt = iter(self.of(LOADED))
        for changes in (*BAD_AMOUNTS, *self.no_keys, *self.no_times):
            change(next(spoilt), changes)
        self.items += self.others(next(spoilt))

    @abstractmethod
    def item(self, number: int, time: datetime, dice: random.Random) -> Item:
        """Make the key, the time and further attributes of an item that changed at a time."""

    @abstractmethod
    def span(self, item: Item) -> Span | None:
        """The time that an item may have; None if it has none."""

    def others(self, item: Item) -> list[Item]:  # noqa: ARG002 - one of the tables has others
        """Make items, like this one, that the pipeline's filter leaves out."""
        return []

    def is_chosen(self, item: Item) -> bool:  # noqa: ARG002 - one of the pipelines has a filter
        """Whether the pipeline's filter picks an item."""
        return True

    @property
    def names(self) -> Names:
        return Names(self.pipeline)

    def fate(self, item: Item, window: Window = WINDOW) -> str:
        """The fate of an item in a run of a window."""
        if not self.is_chosen(item):
            return LEFT_OUT
        span = self.span(item)
        if span is None and self.untimed != LOADED:
            return self.untimed
        if span and not window.has(span):
            return LEFT_OUT
        needed = {**(self.copy_key or self.key), "amount": "N"}
        return LOADED if all(kind in item.get(name, {}) for name, kind in needed.items()) else ASIDE

    def of(self, fate: str, window: Window = WINDOW) -> list[Item]:
        """The items of a fate."""
        return [item for item in self.items if self.fate(item, window) == fate]

    def run(self, window: Window) -> None:
        """Load what a run of a window loads."""
        self.loaded |= self.by_key(self.of(LOADED, window))

    def correct(self) -> list[Item]:
        """Correct the items that are in quarantine, so that a replay loads them; returns them."""
        corrected = self.of(ASIDE)
        for number, item in enumerate(self.items):
            if item in corrected:
                made = self.item(number, WINDOW.start + timedelta(hours=1), random.Random(number))
                change(item, {"amount": {"N": "7"}, **{name: made[name] for name in made if name not in self.key}})
        self.loaded |= self.by_key(corrected)
        return corrected

    def by_key(self, items: Iterable[Mapping[str, Any]]) -> Loaded:
        """Items of the destination by their keys, in a form that compares exactly."""
        found = [read(dict(item), of_boto3) for item in items]
        by_key = {tuple(item[name] for name in self.copy_key or self.key): item for item in found}
        assert len(by_key) == len(found)
        return by_key

    def words(self, item: Item, *, named: bool = False) -> list[str]:
        """The key of an item as you type it: its values, or with the names of two attributes the last one first."""
        values = {name: typed(item[name]) for name in self.key}
        if named and len(values) > 1:
            return [f"{name}={values[name]}" for name in reversed(values)]
        return list(values.values())


class People(Table):
    """Persons by a text; the time in a map, with an offset."""

    pipeline, name, key = "etl", "people", {"id": "S"}
    copy = "people-copy"
    no_times = ({"profile": None}, {"profile": {"M": {"changed": {"S": "2024-10-27T12:00:00"}}}})

    def item(self, number: int, time: datetime, dice: random.Random) -> Item:
        minutes = dice.choice([0, 60, -330, 840, -720])
        text = clock(time.astimezone(timezone(timedelta(minutes=minutes))), dice)
        offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{dice.choice(['', ':'])}{abs(minutes) % 60:02d}"
        changed = text + ("Z" if not minutes and dice.random() < 0.5 else offset)
        return {"id": {"S": f"person {number}"}, "profile": {"M": {"changed": {"S": changed}}}}

    def span(self, item: Item) -> Span | None:
        text = item.get("profile", {}).get("M", {}).get("changed", {}).get("S", "")
        try:
            first = datetime.fromisoformat(text)
        except ValueError:
            return None
        return within(text, first, first) if first.tzinfo else None


class Shop(Table):
    """Orders among other kinds of items, of which the destination has another key; the time in milliseconds."""

    pipeline, name, key = "orders", "shop", {"pk": "S", "sk": "S"}
    copy, copy_key = "orders-by-customer", {"customer": "S", "placed": "N"}
    untimed = EXCLUDED
    no_times = ({"updatedAt": None}, {"updatedAt": {"S": "soon"}}, {"updatedAt": {"BOOL": True}})
    no_keys = ({"customer": None}, {"placed": {"S": "1"}}, {"customer": {"B": b"c"}})

    def item(self, number: int, time: datetime, dice: random.Random) -> Item:
        return {
            "pk": {"S": f"CUSTOMER#{number % 3}"},
            "sk": {"S": f"ORDER#{number} ü"},
            "status": {"S": "PAID"},
            "customer": {"S": f"customer {number % 3}"},
            "placed": {"N": spelt(Decimal(number), dice)},
            "updatedAt": {dice.choice("NNS"): spelt(Decimal(exact_micros(time)) / 1000, dice)},
        }

    def span(self, item: Item) -> Span | None:
        return number_of(item.get("updatedAt", {}), 1000)

    def others(self, item: Item) -> list[Item]:
        return [
            item | {"sk": {"S": "ORDER#draft"}, "status": {"S": "DRAFT"}},
            item | {"sk": {"S": "PROFILE"}},
            {"pk": {"S": "CUSTOMER#7"}, "sk": {"S": "PROFILE"}},
        ]

    def is_chosen(self, item: Item) -> bool:
        return item["sk"]["S"].startswith("ORDER#") and item.get("status") != {"S": "DRAFT"}


class Sensors(Table):
    """Readings by their time, a number of seconds that is a part of the key."""

    pipeline, name, key = "readings", "sensors", {"device": "S", "at": "N"}

    def item(self, number: int, time: datetime, dice: random.Random) -> Item:
        seconds = Decimal(exact_micros(time)) / 1_000_000
        return {"device": {"S": f"device={number % 4}"}, "at": {"N": spelt(seconds, dice)}}

    def span(self, item: Item) -> Span | None:
        return number_of(item["at"], 1)


class Visits(Table):
    """Counters by a number; the time on the clocks of Berlin, in an attribute whose name has a dot."""

    pipeline, name, key = "counters", "visits", {"number": "N"}
    untimed = LOADED
    no_times = ({"last.seen": None}, {"last.seen": {"S": "2024-10-27T12:00:00Z"}}, {"last.seen": {"N": "1"}})

    def item(self, number: int, time: datetime, dice: random.Random) -> Item:
        text = clock(time.astimezone(BERLIN), dice)
        return {"number": {"N": spelt(Decimal(number - 5) / 2, dice)}, "last.seen": {"S": text}}

    def span(self, item: Item) -> Span | None:
        text = item.get("last.seen", {}).get("S", "")
        try:
            wall = datetime.fromisoformat(text)
        except ValueError:
            return None
        either = [wall.replace(tzinfo=BERLIN, fold=fold).astimezone(UTC) for fold in (0, 1)]
        return None if wall.tzinfo else within(text, min(either), max(either))


class Uploads(Table):
    """Files by bytes; the day of a change."""

    pipeline, name, key = "files", "uploads", {"digest": "B"}
    no_times = ({"day": None}, {"day": {"S": "27.10.2024"}})

    def item(self, number: int, time: datetime, dice: random.Random) -> Item:  # noqa: ARG002 - a day has one form
        content = bytes(300_000 if number % 8 == 0 else 1)  # DynamoDB returns the table in several pages
        return {
            "digest": {"B": bytes([number, 0, 255 - number])},
            "day": {"S": f"{time:%Y-%m-%d}"},
            "content": {"B": content},
        }

    def span(self, item: Item) -> Span | None:
        try:
            first = date.fromisoformat(item.get("day", {}).get("S", ""))
        except ValueError:
            return None
        day = exact(datetime(first.year, first.month, first.day, tzinfo=UTC))
        return Span(day, day + 24 * 60 * 60)


class Vocabulary(Table):
    """Words by attributes whose names are reserved words with signs; nothing tells when one changed."""

    pipeline, name, key = "words", "vocabulary", {"#select": "S", "order.by": "N"}
    copy = "vocabulary-copy"
    untimed = LOADED

    def item(self, number: int, time: datetime, dice: random.Random) -> Item:
        return {
            "#select": {"S": f"#word.{number % 5}"},
            "order.by": {"N": spelt(Decimal(number - 20), dice)},
            "where": {"S": time.isoformat()},
        }

    def span(self, item: Item) -> Span | None:  # noqa: ARG002 - there is none
        return None


KINDS = (People, Shop, Sensors, Visits, Uploads, Vocabulary)


def change(item: Item, changes: Changes) -> None:
    """Change an item in place."""
    for name, value in changes.items():
        if value is None:
            item.pop(name)
        else:
            item[name] = value


def typed(value: dict[str, Any]) -> str:
    """A value as you type it."""
    ((kind, content),) = value.items()
    return b64encode(content).decode() if kind == "B" else str(content)


def times(dice: random.Random) -> Iterator[datetime]:
    """Times close to each bound, within each window, around the clock change, and anywhere."""
    for bound in {bound: None for window in (*OLDER, WINDOW) for bound in window}:
        step = dice.choice([timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(minutes=1)])
        yield from (bound - step, bound, bound + step)
    for start, end in (*OLDER, *[WINDOW] * 4):
        yield from (start + (end - start) * dice.random() for _ in range(4))
    yield from (WINDOW.start + timedelta(minutes=minutes) for minutes in (-61, -59, 14, 45, 74))
    yield from (EPOCH + timedelta(microseconds=dice.randint(-2 * 10**15, 17 * 10**14)) for _ in range(4))


def exact(instant: datetime) -> Fraction:
    return Fraction(exact_micros(instant), 10**6)


def exact_micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


def clock(wall: datetime, dice: random.Random) -> str:
    """A time of a clock, whose zone is left out."""
    precision = dice.choice(["minutes", "seconds", "milliseconds", "microseconds", "auto"])
    return wall.replace(tzinfo=None).isoformat(dice.choice("T "), precision)


def within(text: str, first: datetime, last: datetime) -> Span:
    """The time that a text of a clock leaves open: a minute if it has no seconds."""
    return Span(exact(first), exact(last) + (0 if text[16:17] == ":" else 60))


def spelt(number: Decimal, dice: random.Random) -> str:
    """A number in one of its spellings."""
    plain = f"{number:f}"
    return dice.choice([plain, f"{number:E}", plain + ("0" if "." in plain else ".0")])


def number_of(value: dict[str, Any], per_second: int) -> Span | None:
    """A number of units since 1970, or a text that has one."""
    try:
        number = Fraction(Decimal(value.get("N") or value.get("S") or "none"))
    except ArithmeticError:
        return None
    return Span(number / per_second, number / per_second)
