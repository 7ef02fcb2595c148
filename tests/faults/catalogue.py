"""The faults, each injected on its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from etl.model.stages import MAPS, STATES
from tests.faults import courses, effects
from tests.faults.courses import Course
from tests.faults.injection import Call, Effect, Timing, last, once, share

MAP_STATES = tuple(stage.state for stage in MAPS)
SLOW_PERCENT = 20


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: its name in the table.
        course: the executions of its night.
        matches: the requests that it can strike.
        timing: when it strikes them.
        effect: what happens then; None for a fault that is in the course itself.
        short: whether the functions have little time.
        stubborn: whether it strikes the repetitions of a request, too, more often than the SDK would try.
    """

    name: str
    course: Course = courses.one_run
    matches: Callable[[Call], bool] = lambda _: False
    timing: Timing = once
    effect: Effect | None = None
    short: bool = False
    stubborn: bool = False


def _in(state: str) -> Callable[[Call], bool]:
    return lambda call: call.state == state


def _writes_in(state: str) -> Callable[[Call], bool]:
    return lambda call: call.state == state and call.is_write


def _of(operation: str) -> Callable[[Call], bool]:
    return lambda call: call.operation == operation


def _s3_in(state: str) -> Callable[[Call], bool]:
    return lambda call: call.state == state and call.service == "S3"


WORKERS = (
    *(Fault(f"{state}: process killed", matches=_in(state), effect=effects.kill) for state in STATES),
    *(
        Fault(f"{state}: dies after last write", matches=_writes_in(state), timing=last, effect=effects.kill_after)
        for state in STATES
    ),
    *(
        Fault(f"{state}: invocation times out", matches=_in(state), effect=effects.hang, short=True)
        for state in (*MAP_STATES, "Finish")
    ),
    *(
        Fault(f"{state}: memory limit", courses.killed_for_memory, _in(state), effect=effects.flood)
        for state in (MAP_STATES if sys.platform == "linux" else ())  # the local environment enforces it there alone
    ),
)
SERVICES = (
    Fault("starts throttled", courses.throttled_starts),
    *(
        Fault(f"{state}: answer to a write lost", matches=_writes_in(state), effect=effects.lose_answer)
        for state in STATES
    ),
    *(
        Fault(f"{percent} % of {kind} throttled", matches=_of(name), timing=share(percent), effect=effects.throttle)
        for kind, name in (("reads", "Scan"), ("writes", "BatchWriteItem"))
        for percent in (10, 50)
    ),
    Fault(
        "a page throttled again and again", courses.each_page_once, _of("Scan"), once, effects.throttle, stubborn=True
    ),
    *(
        Fault(
            f"{state}: {SLOW_PERCENT} % of S3 SlowDown",
            matches=_s3_in(state),
            timing=share(SLOW_PERCENT),
            effect=effects.slow_down,
        )
        for state in MAP_STATES
    ),
)
RUNS = (
    Fault("event delivered twice", courses.two_deliveries),
    Fault("two runs of a night at once", courses.two_nights_at_once),
    Fault("two backfills at once", courses.two_backfills_at_once),
    *(
        Fault(f"{state}: stopped, run again", courses.stopped_and_run_again, _in(state), effect=effects.stop)
        for state in (*MAP_STATES, "Gate")
    ),
    Fault("Transform: stopped, event lost", courses.stopped_unseen, _in("Transform"), effect=effects.stop),
    Fault("Finish: stopped, run again", courses.stopped_while_finishing, _in("Finish"), effect=effects.stop),
    *(
        Fault(f"{state}: fails, then caught up", courses.failed_and_caught_up, _in(state), effect=effects.deny)
        for state in MAP_STATES
    ),
)
NONE = Fault("none")
FAULTS = (*WORKERS, *SERVICES, *RUNS)
