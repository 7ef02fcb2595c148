"""A limit on the time that the user's code may take for one record, at no cost for the records that keep to it.

A timer ticks ten times in the allowed time. A record that is still there after ten ticks has had its time. So nobody
looks at a clock for each record, and a record is stopped after the allowed time and a tenth of it at most.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TICKS = 10


class OverTimeError(BaseException):
    """The work has had its time. No ``Exception``: ``except Exception`` in ``transform()`` would swallow it."""


class TimeLimit:
    """Stops what takes too long, by raising OverTimeError where it stands.

    It stops Python's code, and code in C that looks for signals: sleeping, regular expressions, waiting for a socket.
    Other code in C goes on until its process is ended.

    Attributes:
        work: the object that is being worked at; None between two.

    Args:
        seconds: how long one work may take.
    """

    def __init__(self, seconds: float) -> None:
        self.work: object = None
        self._seconds = seconds
        self._seen: object = None
        self._ticks = 0

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Let the timer tick meanwhile; another timer of this process goes on afterwards.

        Only the main thread gets signals: in another one nothing is stopped.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handler = signal.signal(signal.SIGALRM, self._tick)
        other = signal.setitimer(signal.ITIMER_REAL, self._seconds / _TICKS, self._seconds / _TICKS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, *other)
            signal.signal(signal.SIGALRM, handler)

    @contextmanager
    def on(self, work: object) -> Iterator[None]:
        """Limit the time for a work."""
        self.work = work
        try:
            yield
        finally:
            self.work = None

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        if self.work is None or self.work is not self._seen:
            self._seen, self._ticks = self.work, 0
            return
        self._ticks += 1
        if self._ticks >= _TICKS:
            raise OverTimeError
