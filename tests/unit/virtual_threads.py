"""Threads whose clock goes on by itself when all of them sleep: hours take no time, whatever the machine does."""

import heapq
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from etl.tables.scan import Passing

Result = TypeVar("Result")


class VirtualThreads:
    """Runs work in threads of which one is awake at a time.

    Attributes:
        now: seconds since the beginning.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._asleep: list[tuple[float, int, threading.Lock]] = []
        self._number = 0
        self._all_done = _held()

    def sleep(self, seconds: float) -> None:
        """Let the others go on until then."""
        wakes = self.now + seconds
        if not self._asleep or wakes < self._asleep[0][0]:
            self.now = wakes
            return
        alarm = self._set_alarm(wakes)
        self._wake_next()
        alarm.acquire()

    def run(self, works: Sequence[Callable[[], Result]]) -> list[Result]:
        """The result of each piece of work."""
        done: dict[int, Result | BaseException] = {}

        def begin(number: int, alarm: threading.Lock) -> None:
            alarm.acquire()
            try:
                done[number] = works[number]()
            except BaseException as error:  # raised where it is looked for
                done[number] = error
            self._wake_next()

        threads = [
            threading.Thread(target=begin, args=(number, self._set_alarm(self.now)), daemon=True)
            for number in range(len(works))
        ]
        for thread in threads:
            thread.start()
        self._wake_next()
        self._all_done.acquire()
        results = [done[number] for number in range(len(works))]
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return results  # type: ignore[return-value]

    def passing(self) -> Passing:
        """How time passes for a Scan: its requests are made where they are begun."""
        return Passing(lambda: self.now, self.sleep, _AtOnce)

    def _wake_next(self) -> None:
        if self._asleep:
            self.now, _, alarm = heapq.heappop(self._asleep)
            alarm.release()
        else:
            self._all_done.release()

    def _set_alarm(self, wakes: float) -> threading.Lock:
        alarm = _held()
        self._number += 1
        heapq.heappush(self._asleep, (wakes, self._number, alarm))
        return alarm


def _held() -> threading.Lock:
    """A lock to wait for. It is several times as fast as a semaphore."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class _AtOnce(Executor):
    """Do the submitted work at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future
