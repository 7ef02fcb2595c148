"""Made-up items for the source table: orders of a coffee shop, always the same.

An order is a function of the seed, its number and the reference time. By default, 93 of every hundred are good and
are from the 23 hours before the reference time, 6 are late by days, and 1 is invalid.
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

from etl.model.schema import TIME
from etl.staging.batches import BATCH_RECORDS
from etl_cli.items.seed_orders import make_order
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
"""An item as boto3's serializer takes it: numbers are int or Decimal, binaries are bytes."""

DAY = timedelta(days=1)
# A run within the hour after the reference time reads them too.
_SPARE = timedelta(hours=1)
# The late orders are between these times before the first good one.
_LATE = (timedelta(days=2), timedelta(days=29))

WRITERS = 4
_PATIENCE_SECONDS = 60.0

# Kinds of orders are spread by a step. The first invalid order comes late, so that even a handful of orders stays
# below the threshold of the quality gate.
_STEP, _OFFSET = 37, 83


@dataclass(frozen=True)
class Mix:
    """The shares of late items, older by days than all good ones, and of those without a usable value or time.

    The good ones are spread over these days.
    """

    late_percent: int = 6
    invalid_percent: int = 1
    days: int = 1

    def kind_of(self, number: int) -> str:
        """The kind of the order with this number: ``recent``, ``late`` or ``invalid``."""
        place = self._place(number)
        if place < self.invalid_percent:
            return "invalid"
        return "late" if place < self.invalid_percent + self.late_percent else "recent"

    def flaw_of(self, number: int) -> int:
        """The position of the order with this number among all invalid ones, from 0."""
        return number // 100 * self.invalid_percent + self._place(number)

    def age(self, kind: str, dice: random.Random) -> timedelta:
        """The age of an order of this kind at the reference time."""
        if kind == "late":
            first, last = (self.days * DAY + each for each in _LATE)
            return dice.uniform(first / last, 1) * last
        return dice.random() * (self.days * DAY - _SPARE)

    def _place(self, number: int) -> int:
        """The order's place in its hundred, from 0 to 99; each order has another."""
        return (number * _STEP + _OFFSET) % 100


def make_items(count: int, reference: datetime, seed: int = 0, mix: Mix = Mix()) -> Iterator[Item]:
    """Make items, none younger than an aware reference: the same for the same arguments.

    A larger number of them begins with the same ones. Another seed makes other orders with the same ids.
    """
    for number in range(count):
        dice = random.Random(f"{seed}:{number}")  # noqa: S311 - not for secrets
        kind = mix.kind_of(number)
        item = make_order(number + 1, reference - mix.age(kind, dice), dice)
        yield _FLAWS[mix.flaw_of(number) % len(_FLAWS)](item) if kind == "invalid" else item


def _without(name: str) -> Callable[[Item], Item]:
    return lambda item: {key: value for key, value in item.items() if key != name}


def _with(name: str, change: Callable[[Item], Any]) -> Callable[[Item], Item]:
    return lambda item: item | {name: change(item)}


_refund = _with("value", lambda item: -max(item["value"], Decimal("4.90")))
_text_value = _with("value", lambda item: f"{item['value']} EUR")
_no_value = _with("value", lambda _: None)
_local_time = _with(TIME, lambda item: f"{item[TIME][8:10]}.{item[TIME][5:7]}. 10 o'clock")
_no_attribute, _no_time = _without("value"), _without(TIME)

# Faults of real sources: refunds, prices as text, times as people write them, missing attributes.
_FLAWS = [_refund, _text_value, _local_time, _no_attribute, _refund, _no_time, _refund, _text_value, _no_value, _refund]


def write_items(
    dynamodb: DynamoDBClient, table: str, items: Iterable[Item], on_written: Callable[[int], None] | None = None
) -> int:
    """Put items into a table, and return their number; items with the same key are replaced.

    Raises:
        UserError: the table still takes no more after a minute.
    """
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    written = 0
    with ThreadPoolExecutor(WRITERS, thread_name_prefix="seed") as pool:
        running = set()
        given_up = Event()
        try:
            source = iter(items)
            while batch := list(islice(source, BATCH_RECORDS)):
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
    unwritten: Any = {table: [{"PutRequest": {"Item": item}} for item in items]}
    deadline, pause = time.monotonic() + _PATIENCE_SECONDS, 0.05
    while unwritten := dynamodb.batch_write_item(RequestItems=unwritten).get("UnprocessedItems"):
        if given_up.wait(pause * random.uniform(0.5, 1)) or time.monotonic() > deadline:  # noqa: S311
            raise UserError(f"The table {table} is throttled and takes no more items.", "Try again later.")
        pause = min(2 * pause, 5.0)
    return len(items)
