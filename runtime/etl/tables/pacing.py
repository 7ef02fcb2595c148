"""How fast a worker may write: a ceiling that is set, and a number of requests in flight that is learned."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

# Source: DynamoDB Developer Guide, "Read and write operations".
_UNIT_BYTES = 1024
_Key = TypeVar("_Key")


class Pacer:
    """Holds the writers of one worker to a number of write units a second.

    A writer reserves what it takes a request to consume, waits, sends it, and corrects the reservation by what the
    answer says. Waiting comes first, so a writer whose time is too short for it just doesn't send. It is to be one
    writer at a time that reserves and waits: whoever comes next then knows the corrections up to now.

    Args:
        units_per_second: the worker's share of the ceiling; None for no ceiling.
        clock: a clock that never goes back, in seconds.
    """

    def __init__(self, units_per_second: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = units_per_second
        self._clock = clock
        self._free_at = clock()

    @property
    def has_ceiling(self) -> bool:
        """Whether it matters what a request consumes."""
        return self._rate is not None

    def portions(self, items: Mapping[_Key, bytes]) -> Sequence[Mapping[_Key, bytes]]:
        """A batch in portions for a request each: of a second's units, lest they be a burst, but of one item at least.

        Args:
            items: items of DynamoDB JSON by their keys.
        """
        if self._rate is None or sum(map(units_at_most, items.values())) <= self._rate:
            return [items]
        portions: list[dict[_Key, bytes]] = [{}]
        units = 0
        for key, item in items.items():
            units += units_at_most(item)
            if portions[-1] and units > self._rate:
                portions.append({})
                units = units_at_most(item)
            portions[-1][key] = item
        return portions

    def reserve(self, units: float) -> float:
        """Take ``units`` of the ceiling; returns how long to wait before they may be consumed, in seconds."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        starts = max(now, self._free_at)
        self._free_at = starts + units / self._rate
        return starts - now

    def correct(self, units: float) -> None:
        """Note that ``units`` more were consumed than reserved; fewer when negative."""
        if self._rate is not None:
            self._free_at += units / self._rate


def units_at_most(item: bytes) -> int:
    """Write units of an item of DynamoDB JSON, which is longer than what DynamoDB counts: one for each KB begun."""
    return -(-len(item) // _UNIT_BYTES)


class InFlight:
    """How many requests may be under way at once: half as many when DynamoDB says "later", slowly more after that.

    It is TCP's way to share a line: every worker sees the table's throttling, all of them slow down, and none needs
    to know of the others. Requests sent before the number was last halved don't halve it again.

    Args:
        most: number to begin with, and never to pass.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._under_way = 0
        self._halved = 0
        self._left = asyncio.Event()

    async def enter(self) -> int:
        """Wait for a place; what it returns is handed to :meth:`leave`."""
        while self._under_way + 1 > self._limit:
            self._left.clear()
            await self._left.wait()
        self._under_way += 1
        return self._halved

    def leave(self, entered: int, *, throttled: bool) -> None:
        """Give the place back, and say whether the answer was "later"."""
        self._under_way -= 1
        if not throttled:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        elif entered == self._halved:
            self._limit = max(1.0, self._limit / 2)
            self._halved += 1
        self._left.set()
