"""The speed at which a worker may read: its share of a ceiling, and a number of requests a second that it learns."""

import random
import time
from collections.abc import Callable
from typing import Any

from etl.tables.ceiling import Pacer

# Half a unit for 4 KB, since a Scan is eventually consistent: pages of 1 MB, items of 400 KB. Sources: DynamoDB
# Developer Guide, "DynamoDB read and write operations", "Scanning tables in DynamoDB" and "Quotas".
PAGE_UNITS, _ITEM_UNITS = 128, 50
# A replay reads with strong consistency, which takes twice as much. An item of 400 KB may have 4 MB of JSON, so that
# it reads few keys together; BatchGetItem would take 100 (API reference).
_REPLAYED_ITEM_UNITS, _KEYS_TOGETHER = 2 * _ITEM_UNITS, 8
# A ceiling holds within a tenth of a minute, 6 s. One is saved up, so that a request isn't late for good. The others
# are for the last request: its units are known when they have been consumed.
_SAVED_SECONDS, _BURST_SECONDS = 1, 5
LEAST_SHARE = 36
"""The units a second that a worker must have, so that any page is at most 5 s of them: 1 MB and an item of 400 KB."""

# Requests a second. The highest rate has no pauses, since a page takes longer. The lowest waits 10 s on average.
_MOST_RATE, _LEAST_RATE, _RATE_STEP = 20.0, 0.1, 0.1


class Pace:
    """Learns how many requests a second a reader may begin, as ``InFlight`` learns how many may run at once.

    A refusal halves the number, and an answer adds a constant. So a faster reader loses more than the others, and the
    readers of one partition soon share it evenly. Pauses are random, so that they don't coincide.

    Args:
        clock: a clock that never goes back, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate = _MOST_RATE
        self._began = self._due = clock()

    def began(self) -> None:
        """Note that a request begins."""
        self._began = self._clock()

    def ended(self, *, refused: bool) -> None:
        """Note how the request ended, and draw the time of the next one."""
        self._rate = max(_LEAST_RATE, self._rate / 2) if refused else min(_MOST_RATE, self._rate + _RATE_STEP)
        unbounded = self._rate == _MOST_RATE
        self._due = self._began + (0.0 if unbounded else random.uniform(0, 2 / self._rate))  # noqa: S311 - jitter

    def pause(self) -> float:
        """The pause before the next request, in seconds."""
        return max(0.0, self._due - self._clock())


def readers(units_per_second: int, most: int) -> int:
    """The number of workers that may share a ceiling on reads, at most ``most``; 0 is no ceiling."""
    return min(most, max(1, units_per_second // LEAST_SHARE)) if units_per_second else most


def read_pacer(units_per_second: int, workers: int, clock: Callable[[], float] = time.monotonic) -> Pacer:
    """A worker's share of a ceiling on reads, for one invocation; 0 is no ceiling.

    An invocation begins as if the one before it had just made its largest request.
    """
    if not units_per_second:
        return Pacer(None, clock)
    share = units_per_second / workers
    owed = min(_KEYS_TOGETHER * _REPLAYED_ITEM_UNITS, _BURST_SECONDS * share)
    return Pacer(share, clock, owed=owed, saved_seconds=_SAVED_SECONDS)


def keys_together(pacer: Pacer) -> int:
    """The number of items that one request of a replay may read, so that it isn't a burst even if all are large."""
    if pacer.units_per_second is None:
        return _KEYS_TOGETHER
    return max(1, min(_KEYS_TOGETHER, int(_BURST_SECONDS * pacer.units_per_second / _REPLAYED_ITEM_UNITS)))


class PageSize:
    """Chooses the number of items of a page, so that it consumes about the units of a second.

    It knows the average of the pages so far, in which each counts half as much as the next. The first page has as few
    items as if all were of 400 KB.

    Args:
        units_per_second: the worker's share of the ceiling; None for no ceiling.
    """

    def __init__(self, units_per_second: float | None) -> None:
        self._most = units_per_second if units_per_second and units_per_second < PAGE_UNITS else None
        self._units = self._items = 0.0

    def limit(self) -> dict[str, Any]:
        """The limit, a part of a Scan request: DynamoDB counts items before its filter. Empty for whole pages."""
        if self._most is None:
            return {}
        average = self._units / max(1.0, self._items) or _ITEM_UNITS
        return {"Limit": max(1, int(self._most / average))}

    def learn(self, units: float, items: int) -> None:
        """Note how many units a page consumed, and how many items DynamoDB read for it."""
        self._units = self._units / 2 + units
        self._items = self._items / 2 + items
