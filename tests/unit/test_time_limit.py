import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType

import pytest

from etl.user.time_limit import OverTimeError, TimeLimit

# Far above what anything here takes unless it hangs.
LONG = 30


def for_ever() -> None:
    while True:
        pass


def asleep() -> None:
    time.sleep(LONG)


def backtracking() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


def in_spite_of_handling_exceptions() -> None:
    while True:
        with suppress(Exception):
            time.sleep(LONG)


def is_stopped(work: Callable[[], None], seconds: float) -> bool:
    with TimeLimit(seconds) as limit:
        try:
            limit.work = work
            work()
            limit.work = None
        except OverTimeError:
            limit.work = None
            return True
    return False


@pytest.mark.parametrize("work", [for_ever, asleep, backtracking, in_spite_of_handling_exceptions])
def test_work_that_does_not_end_is_stopped(work: Callable[[], None]) -> None:
    began = time.monotonic()

    assert is_stopped(work, 0.2)
    assert 0.2 <= time.monotonic() - began < LONG / 2


def test_work_that_ends_in_time_is_not_stopped() -> None:
    assert not is_stopped(lambda: time.sleep(0.1), 0.5)


def test_work_that_catches_all_errors_is_stopped_a_tick_later() -> None:
    limit, caught = TimeLimit(0.1), list[BaseException]()

    def work() -> None:
        while len(caught) < 3:
            try:
                time.sleep(LONG)
            except BaseException as error:
                caught.append(error)

    with limit:
        limit.work = limit
        work()

    assert {type(error) for error in caught} == {OverTimeError}


def test_many_short_works_are_never_stopped() -> None:
    limit, works = TimeLimit(0.1), 0

    with limit:
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            limit.work = [works]
            works += 1
            limit.work = None

    assert works > 100


def test_nothing_is_stopped_between_two_works() -> None:
    limit = TimeLimit(0.05)

    with limit:
        time.sleep(0.2)


def test_another_thread_works_without_a_limit() -> None:
    done = []

    def work() -> None:
        limit = TimeLimit(0.05)
        with limit:
            limit.work = limit
            time.sleep(0.2)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert done


@pytest.fixture
def other_timer() -> Iterator[list[int]]:
    """A timer and its handler, as another library may have them."""
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)

    handler = signal.signal(signal.SIGALRM, hear)
    timer = signal.setitimer(signal.ITIMER_REAL, 0.2)
    yield heard
    signal.setitimer(signal.ITIMER_REAL, *timer)
    signal.signal(signal.SIGALRM, handler)


def test_another_timer_goes_on_afterwards(other_timer: list[int]) -> None:
    with TimeLimit(1):
        pass
    time.sleep(0.4)

    assert other_timer == [signal.SIGALRM]
