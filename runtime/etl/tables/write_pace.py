"""The requests in which a worker writes: their size below a ceiling, and the number in flight, which it learns."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypeVar

# Source: DynamoDB Developer Guide, "Read and write operations".
_UNIT_BYTES = 1024
_Key = TypeVar("_Key")


def portions(items: Mapping[_Key, bytes], most_units: float | None) -> Sequence[Mapping[_Key, bytes]]:
    """Divide a batch into portions, one for each request.

    Args:
        items: items of DynamoDB JSON, by key.
        most_units: the units of a second, so that a portion isn't a burst; a portion has at least one item. None for
            no ceiling.
    """
    if most_units is None or sum(map(units_at_most, items.values())) <= most_units:
        return [items]
    portions: list[dict[_Key, bytes]] = [{}]
    units = 0
    for key, item in items.items():
        units += units_at_most(item)
        if portions[-1] and units > most_units:
            portions.append({})
            units = units_at_most(item)
        portions[-1][key] = item
    return portions


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
