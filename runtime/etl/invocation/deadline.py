"""The deadline of a worker: it stops early enough to save its work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etl.model.limits import RESERVED_SHARE


class Deadline:
    """The end of an invocation, and a reserve that is learned from the work so far.

    A worker asks :meth:`allows_another` after each unit of work (a page, a batch). The reserve is three times the
    slowest unit: two for the next unit, one for closing the objects. So it follows a slow ``transform()`` or a slow
    table without a setting. Closing can be slow although no unit met a request, so the reserve is at least a fiftieth
    of the time at hand (6 s of 5 minutes). The first unit is always done, so each invocation makes progress.

    Args:
        remaining_ms: returns the time left in the invocation, in milliseconds.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, remaining_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._remaining_ms = remaining_ms
        self._clock = clock
        self._unit_started = clock()
        self._slowest_ms = 0.0
        self._least_reserve_ms = remaining_ms() * RESERVED_SHARE

    def reserve(self, seconds: float) -> None:
        """Add some seconds to the least reserve, for a unit of work that may take as long."""
        self._least_reserve_ms += seconds * 1000

    def allows_another(self) -> bool:
        """Note that a unit of work has ended; whether there is time for one more."""
        now = self._clock()
        self._slowest_ms = max(self._slowest_ms, (now - self._unit_started) * 1000)
        self._unit_started = now
        return self.spare_seconds() > 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for something that can be given up at any moment. The time doesn't count as part of a unit."""
        began = self._clock()
        try:
            yield
        finally:
            self._unit_started += self._clock() - began

    def spare_seconds(self) -> float:
        """Time left beyond the reserve, in seconds; negative if part of the reserve is used."""
        return (self.remaining_ms() - max(3 * self._slowest_ms, self._least_reserve_ms)) / 1000

    def remaining_ms(self) -> int:
        """Time left in the invocation, in milliseconds."""
        return self._remaining_ms()
