"""The speed at which a worker may write: a ceiling that is set, and a number of requests in flight that it learns."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

# Source: DynamoDB Developer Guide, "Read and write operations".
_UNIT_BYTES = 1024
_Key = TypeVar("_Key")


class Pacer:
    """Limits the writers of one worker to a number of write units a second.

    A writer reserves the units of a request by an estimate, waits, sends the request, and corrects the reservation by
    the answer. The wait comes first, so a writer with too little time doesn't send. Only one writer at a time may
    reserve and wait: the next one then knows all corrections so far.

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
        """Whether the consumption of requests matters."""
        return self._rate is not None

    def portions(self, items: Mapping[_Key, bytes]) -> Sequence[Mapping[_Key, bytes]]:
        """Divide a batch into portions, one for each request.

        A portion has at most the units of a second, so that it isn't a burst, but at least one item.

        Args:
            items: items of DynamoDB JSON, by key.
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
        """Take ``units`` of the ceiling and return the wait until they may be consumed, in seconds."""
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
    """The most write units of an item: one for each KB of its DynamoDB JSON, which is longer than DynamoDB's count."""
    return -(-len(item) // _UNIT_BYTES)


class InFlight:
    """The number of requests that may run at once: halved when DynamoDB throttles, then slowly raised.

    TCP shares a network in the same way: every worker sees the table's throttling and slows down. Workers needn't know
    each other. Requests from before the last halving don't halve the number again.

    Args:
        most: the number to begin with, which is never exceeded.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._running = 0
        self._halved = 0
        self._freed = asyncio.Event()

    async def enter(self) -> int:
        """Wait for a place. Pass the returned number to :meth:`leave`."""
        while self._running + 1 > self._limit:
            self._freed.clear()
            await self._freed.wait()
        self._running += 1
        return self._halved

    def leave(self, entered: int, *, throttled: bool) -> None:
        """Give the place back.

        Args:
            entered: the number that :meth:`enter` returned.
            throttled: whether DynamoDB throttled the request.
        """
        self._running -= 1
        if not throttled:
            self._limit = min(self._most, self._limit + 1 / self._limit)
        elif entered == self._halved:
            self._limit = max(1.0, self._limit / 2)
            self._halved += 1
        self._freed.set()
