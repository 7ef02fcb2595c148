"""A ceiling on the capacity units that a worker consumes in a second, for reads and for writes."""

import time
from collections.abc import Callable
from decimal import Decimal


class Pacer:
    """Limits the requests of one worker to a number of capacity units a second.

    A worker reserves the units of a request by an estimate, waits, sends the request, and corrects the reservation by
    the answer. The wait comes first, so a worker with too little time doesn't send. Only one task at a time may
    reserve and wait: the next one then knows all corrections so far.

    Args:
        units_per_second: the worker's share of the ceiling; None for no ceiling.
        clock: a clock that never goes back, in seconds.
        owed: units that may just have been consumed by an invocation before; the first request waits for them.
        saved_seconds: for how long the units of a time without requests are saved up.
    """

    def __init__(
        self,
        units_per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
        *,
        owed: float = 0.0,
        saved_seconds: float = 0.0,
    ) -> None:
        self.units_per_second = units_per_second
        self._clock = clock
        self._saved = saved_seconds
        self._free_at = clock() + (owed / units_per_second if units_per_second else 0.0)

    def pause(self) -> float:
        """The wait of a request that is reserved now, in seconds."""
        return 0.0 if self.units_per_second is None else max(0.0, self._free_at - self._clock())

    def reserve(self, units: float) -> float:
        """Take ``units`` of the ceiling and return the wait until they may be consumed, in seconds."""
        if self.units_per_second is None:
            return 0.0
        now = self._clock()
        starts = max(now - self._saved, self._free_at)
        self._free_at = starts + units / self.units_per_second
        return max(0.0, starts - now)

    def correct(self, units: float | Decimal) -> None:
        """Note that ``units`` more were consumed than reserved; fewer when negative."""
        if self.units_per_second is not None:
            self._free_at += float(units) / self.units_per_second


NO_CEILING = Pacer(None)
