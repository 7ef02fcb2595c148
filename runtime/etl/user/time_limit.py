"""A limit on the time that the user's code may take for one record, at no cost for the records that keep to it.

A timer ticks ten times in the allowed time. A record that is still there after ten ticks has had its time. So nobody
looks at a clock for each record, and a record is stopped after the allowed time and a tenth of it at most.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

_TICKS = 10


class OverTimeError(BaseException):
    """The work has had its time. No ``Exception``: ``except Exception`` in ``transform()`` would swallow it."""


class TimeLimit:
    """Stops what takes too long, by raising OverTimeError where it stands; a context manager, within which it does.

    It stops Python's code, and code in C that looks for signals: sleeping, regular expressions, waiting for a socket.
    Other code in C goes on until its process is ended. Only the main thread gets signals: in another one nothing is
    stopped.

    Attributes:
        work: the object that is being worked at; None between two. To set it is all that a work costs.

    Args:
        seconds: how long one work may take.
    """

    def __init__(self, seconds: float) -> None:
        self.work: object = None
        self._seconds = seconds
        self._seen: object = None
        self._ticks = 0
        self._before: tuple[Any, tuple[float, float]] | None = None

    def __enter__(self) -> Self:
        """Let the timer tick."""
        if threading.current_thread() is threading.main_thread():
            tick = self._seconds / _TICKS
            handler = signal.signal(signal.SIGALRM, self._tick)
            self._before = handler, signal.setitimer(signal.ITIMER_REAL, tick, tick)
        return self

    def __exit__(self, *_: object) -> None:
        """Let another timer of this process, which there may have been before, go on."""
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
