"""How a worker knows that it must stop: in time to save what it has."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Deadline:
    """The end of an invocation, and a reserve that is learned from the work seen so far.

    A worker asks :meth:`allows_another` after each unit of work (a page, a batch). The reserve is twice
    the slowest unit, once more for closing what is open: a user's slow ``transform()`` or a slow table
    moves it without any setting. Closing can be slower than units that never met a request, so the reserve is a
    fiftieth of the time at hand at least (6 s of 5 minutes). The first unit is always done, so that every
    invocation makes progress and a loop of invocations ends.

    Args:
        remaining_ms: time left in the invocation, in milliseconds.
        clock: a clock that never goes back, in seconds.
    """

    def __init__(self, remaining_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._remaining_ms = remaining_ms
        self._clock = clock
        self._unit_started = clock()
        self._slowest_ms = 0.0
        self._least_reserve_ms = remaining_ms() / 50

    def reserve(self, seconds: float) -> None:
        """Keep so much of the time for one unit of work that may take as long, whatever those before it took."""
        self._least_reserve_ms += seconds * 1000

    def allows_another(self) -> bool:
        """Note that a unit of work has ended, and say whether there is time for one more."""
        now = self._clock()
        self._slowest_ms = max(self._slowest_ms, (now - self._unit_started) * 1000)
        self._unit_started = now
        return self.spare_seconds() > 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for something that can be given up at any moment: it needs no reserve, and is no part of a unit."""
        began = self._clock()
        try:
            yield
        finally:
            self._unit_started += self._clock() - began

    def spare_seconds(self) -> float:
        """Time that is left beyond the reserve, in seconds; negative when the reserve is used already."""
        return (self.remaining_ms() - max(3 * self._slowest_ms, self._least_reserve_ms)) / 1000

    def remaining_ms(self) -> int:
        """Time left in the invocation, in milliseconds."""
        return self._remaining_ms()
