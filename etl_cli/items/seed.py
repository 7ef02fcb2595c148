"""Items for the source table: the orders of a coffee shop, made up and always the same.

An order is a function of the seed, its number and the reference time. Unless told otherwise, of every hundred 93 are
good and lie in the 23 hours before the reference time, 6 are late by days, and 1 is invalid.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

from etl_cli.items.orders import make_order
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item as boto3's serializer takes it: numbers are int or Decimal, binaries bytes."""

DAY = timedelta(days=1)
# A run within the hour after the reference time reads them too.
_SPARE = timedelta(hours=1)
# How long before the first of the good ones the late ones begin, and end.
_LATE = (timedelta(days=2), timedelta(days=29))

# BatchWriteItem takes at most 25 puts. Source: DynamoDB API Reference.
BATCH_ITEMS = 25
WRITERS = 4
_PATIENCE_SECONDS = 60.0

# Consecutive orders, spread by a step; the first hundred's invalid one comes late enough that even a handful of orders
# stays below the threshold of the quality gate.
_STEP, _OFFSET = 37, 83


@dataclass(frozen=True)
class Mix:
    """What the items are like.

    Attributes:
        late_percent: how many of a hundred have a timestamp that is older by days than all good ones.
        invalid_percent: how many of a hundred have no usable value, or no time.
        days: how long the time is in which the good ones lie.
    """

    late_percent: int = 6
    invalid_percent: int = 1
    days: int = 1

    def kind_of(self, number: int) -> str:
        """What the order of this number is: ``recent``, ``late`` or ``invalid``."""
        place = self._place(number)
        if place < self.invalid_percent:
            return "invalid"
        return "late" if place < self.invalid_percent + self.late_percent else "recent"

    def flaw_of(self, number: int) -> int:
        """The how manieth of all invalid orders the one of this number is, from 0."""
        return number // 100 * self.invalid_percent + self._place(number)

    def age(self, kind: str, dice: random.Random) -> timedelta:
        """How long before the reference time an order of this kind was placed."""
        if kind == "late":
            first, last = (self.days * DAY + each for each in _LATE)
            return dice.uniform(first / last, 1) * last
        return dice.random() * (self.days * DAY - _SPARE)

    def _place(self, number: int) -> int:
        """The order's place in its hundred: a number of 0 to 99 that no other of it has."""
        return (number * _STEP + _OFFSET) % 100


def make_items(count: int, reference: datetime, seed: int = 0, mix: Mix = Mix()) -> Iterator[Item]:
    """Make items, the same for the same arguments; more of them begin with the same ones.

    Args:
        count: how many.
        reference: aware; none is younger.
        seed: for other orders with the same ids.
        mix: what they are like.
    """
    for number in range(count):
        dice = random.Random(f"{seed}:{number}")  # noqa: S311 - not for secrets
        kind = mix.kind_of(number)
        item = make_order(number + 1, reference - mix.age(kind, dice), dice)
        yield _broken(item, mix.flaw_of(number)) if kind == "invalid" else item


def _broken(item: Item, number: int) -> Item:
    return _FLAWS[number % len(_FLAWS)](item)


def _without(name: str) -> Callable[[Item], Item]:
    return lambda item: {key: value for key, value in item.items() if key != name}


def _with(name: str, change: Callable[[Item], Any]) -> Callable[[Item], Item]:
    return lambda item: item | {name: change(item)}


_refund = _with("value", lambda item: -max(item["value"], Decimal("4.90")))
_text_value = _with("value", lambda item: f"{item['value']} EUR")
_no_value = _with("value", lambda _: None)
_local_time = _with("timestamp", lambda item: f"{item['timestamp'][8:10]}.{item['timestamp'][5:7]}. 10 o'clock")

# What real sources do: refunds, prices as text, times as people write them, attributes that are not there.
_FLAWS = [
    _refund,
    _text_value,
    _local_time,
    _without("value"),
    _refund,
    _without("timestamp"),
    _refund,
    _text_value,
    _no_value,
    _refund,
]


def write_items(
    dynamodb: DynamoDBClient, table: str, items: Iterable[Item], on_written: Callable[[int], None] | None = None
) -> int:
    """Put items into a table; those with the same key are replaced.

    Args:
        dynamodb: client of DynamoDB.
        table: the table's name.
        items: as `make_items` makes them.
        on_written: called with the number of items written so far.

    Returns:
        How many items were written.

    Raises:
        UserError: the table takes no more, even after a minute's patience.
    """
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    written = 0
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="seed") as pool:
        running = set()
        given_up = Event()
        try:
            source = iter(items)
            while batch := list(islice(source, BATCH_ITEMS)):
                wired = [{name: serialize(value) for name, value in item.items()} for item in batch]
                running.add(pool.submit(_write_batch, dynamodb, table, wired, given_up))
                while len(running) >= 2 * WRITERS:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    written += sum(each.result() for each in done)
                    if on_written:
                        on_written(written)
            written += sum(each.result() for each in running)
        except BaseException:
            given_up.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return written


def _write_batch(dynamodb: DynamoDBClient, table: str, items: list[dict[str, Any]], given_up: Event) -> int:
    left: Any = {table: [{"PutRequest": {"Item": item}} for item in items]}
    deadline, pause = time.monotonic() + _PATIENCE_SECONDS, 0.05
    while left := dynamodb.batch_write_item(RequestItems=left).get("UnprocessedItems"):
        if given_up.wait(pause * random.uniform(0.5, 1)) or time.monotonic() > deadline:  # noqa: S311
            raise UserError(f"The table {table} is throttled and takes no more items.", "Try again later.")
        pause = min(2 * pause, 5.0)
    return len(items)
