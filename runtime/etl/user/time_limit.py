"""A limit on the time of your code for one record. It costs nothing for the records that keep to it.

A timer ticks ten times in the allowed time. A record that is still there after ten ticks is stopped, at most a tenth
of its time too late. So no record needs a look at a clock.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

_TICKS = 10


class OverTimeError(BaseException):
    """The time of the work is over. Not an ``Exception``: ``except Exception`` in ``transform()`` would swallow it."""


class TimeLimit:
    """Stops work that takes too long by raising OverTimeError in it; a context manager, within which it is active.

    It stops Python's code, and code in C that looks for signals: sleeping, regular expressions, waiting for a socket.
    Other code in C continues until its process ends. Only the main thread gets signals: nothing stops in another one.

    Attributes:
        work: the object of the current work; None in between. A piece of work costs this assignment alone.

    Args:
        seconds: the time that one piece of work may take.
    """

    def __init__(self, seconds: float) -> None:
        self.work: object = None
        self._seconds = seconds
        self._seen: object = None
        self._ticks = 0
        self._before: tuple[Any, tuple[float, float]] | None = None

    def __enter__(self) -> Self:
        """Start the timer."""
        if threading.current_thread() is threading.main_thread():
            tick = self._seconds / _TICKS
            handler = signal.signal(signal.SIGALRM, self._tick)
            self._before = handler, signal.setitimer(signal.ITIMER_REAL, tick, tick)
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the timer that this process may have had before."""
        if self._before:
            handler, timer = self._before
            signal.setitimer(signal.ITIMER_REAL, *timer)
            signal.signal(signal.SIGALRM, handler)
            self._before = None

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        if self.work is None or self.work is not self._seen:
            self._seen, self._ticks = self.work, 0
            return
        self._ticks += 1
        if self._ticks >= _TICKS:
            raise OverTimeError
