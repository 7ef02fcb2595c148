"""The speed at which a worker may read: a number of requests a second that it learns."""

import random
import time
from collections.abc import Callable

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
