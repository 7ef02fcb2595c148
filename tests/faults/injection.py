"""Between the functions and the emulator: every request is seen, and some meet a fault at moments that a seed fixes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.pipeline.interposer import Answer, Behaviour, Request
from tests.pipeline.pipeline import Pipeline, wait_for

SERVICES = {
    "etl-extract": ("DYNAMODB", "S3"),
    "etl-transform": ("S3",),
    "etl-load": ("DYNAMODB", "S3"),
}
STILL_SECONDS = 0.4
# Each wait between attempts may be twice as long as the one before: a suite whose time is bounded spares the last ones.
MOST_STRIKES = 3
# More than the SDK's own attempts.
STUBBORN_STRIKES = 6


class Call(NamedTuple):
    """A request of a function, without its body; `operation` as in `Request`."""

    function: str
    service: str
    operation: str

    @property
    def state(self) -> str:
        """The state of the workflow that makes it."""
        match self.function:
            case "etl-extract":
                planning = self.operation in ("DescribeTable", "GetItem", "PutItem")
                return "Plan" if planning or self.operation.endswith("/run.json") else "Extract"
            case "etl-transform":
                merging = self.operation.startswith("GET ") and "/partials/" in self.operation
                return "Gate" if merging or self._sums_up else "Transform"
        finish = self._sums_up or self.operation in ("TransactWriteItems", "UpdateItem")
        return "Finish" if finish else "Load"

    @property
    def _sums_up(self) -> bool:
        """Whether it reads of quarantine, or is about the aggregates: Gate and Finish do, after the workers."""
        reads = self.operation.startswith("GET ") and "quarantine/" in self.operation
        return reads or self.operation.endswith("/aggregates.json")

    @property
    def is_write(self) -> bool:
        if self.service == "S3":
            return self.operation.startswith(("PUT ", "POST "))
        return self.operation in ("PutItem", "BatchWriteItem", "TransactWriteItems", "UpdateItem")


Strikes = Callable[[int], bool]
"""Whether the request with a number, from 1, is struck."""
Timing = Callable[[Random, int], Strikes]
"""Chooses the moments, of so many that a run without faults has."""


def once(random: Random, total: int) -> Strikes:
    """One request, at random."""
    struck = random.randint(1, total)
    return lambda number: number == struck


def last(_: Random, total: int) -> Strikes:
    """The last request."""
    return lambda number: number == total


def share(percent: int) -> Timing:
    """Each request with this probability; a draw that strikes none of a run without faults is repeated."""

    def choose(random: Random, total: int) -> Strikes:
        drawn: list[bool] = []
        while not any(drawn):
            drawn = [random.random() * 100 < percent for _ in range(total)]
        return lambda number: drawn[number - 1] if number <= total else random.random() * 100 < percent

    return choose


@dataclass
class Scene:
    """One fault in one night, for its effect.

    Attributes:
        pipeline: the night's.
        random: of the fault's own, so that its moments don't depend on the faults before it.
        injected: how often the fault was injected.
        over: set when the fault's runs have ended; effects may wait for it.
        where: the state of the workflow that was struck first.
        pages: how often each page of the source was read, by its request.
    """

    pipeline: Pipeline
    random: Random
    injected: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    where: str = ""
    pages: Counter[bytes] = field(default_factory=Counter)
    _started: threading.Event = field(default_factory=threading.Event)
    _arn: str = ""

    def note(self, state: str = "") -> None:
        """Note that the fault was injected."""
        self.injected += 1
        self.where = self.where or state

    def start(self, given: object) -> str:
        """Start an execution; gives its ARN."""
        self._arn = self.pipeline.start(given)
        self._started.set()
        return self._arn

    def stop(self) -> None:
        """Stop the execution."""
        assert self._started.wait(10)
        self.pipeline.clients.stepfunctions.stop_execution(executionArn=self._arn)


Effect = Callable[[Scene, Call, Request], Answer | None]
"""What happens to a request that is struck; None breaks the connection off."""


@dataclass
class Injection:
    """Strikes the requests that match, at their moments, each and its repetitions `MOST_STRIKES` times at most.

    A stubborn one strikes each repetition of a request that it has struck, `STUBBORN_STRIKES` times in all.
    """

    scene: Scene
    matches: Callable[[Call], bool]
    strikes: Strikes
    effect: Effect
    stubborn: bool = False
    _seen: int = 0
    _struck: Counter[tuple[Call, bytes]] = field(default_factory=Counter)

    def meets(self, call: Call, request: Request) -> bool:
        """Whether it strikes a request that comes now."""
        if not self.matches(call):
            return False
        self._seen += 1
        before = self._struck[call, request.body]
        chosen = self.strikes(self._seen) or (self.stubborn and before > 0)
        struck = chosen and before < (STUBBORN_STRIKES if self.stubborn else MOST_STRIKES)
        self._struck[call, request.body] += struck
        return struck


class Switchboard:
    """Sees all requests of the functions, and has an injection strike some."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._injection: Injection | None = None
        self._under_way = 0
        self._moved = time.monotonic()

    @contextmanager
    def connected(self, pipeline: Pipeline) -> Iterator[None]:
        """Put it between the functions and the emulator."""
        with ExitStack() as stack:
            for function, services in SERVICES.items():
                for service in services:
                    stack.enter_context(pipeline.interposed(function, service, self._behaviour(function, service)))
            yield

    @contextmanager
    def injecting(self, injection: Injection) -> Iterator[None]:
        """Have it strike meanwhile."""
        self._injection = injection
        try:
            yield
        finally:
            self._injection = None
            injection.scene.over.set()

    def wait_until_still(self) -> None:
        """Wait until no function has anything under way, as the worker of a stopped execution has for a while."""

        def still() -> bool:
            with self._lock:
                return not self._under_way and time.monotonic() - self._moved > STILL_SECONDS

        wait_for("the functions' last requests", still)

    def _behaviour(self, function: str, service: str) -> Behaviour:
        def behave(request: Request) -> Answer | None:
            call = Call(function, service, request.operation)
            struck_by = self._enter(call, request)
            try:
                return struck_by.effect(struck_by.scene, call, request) if struck_by else request.forward()
            finally:
                self._leave()

        return behave

    def _enter(self, call: Call, request: Request) -> Injection | None:
        """Note that a request has come; gives the injection if it strikes."""
        with self._lock:
            self._under_way += 1
            self.calls.append(call)
            injection = self._injection
            if injection is None or injection.meets(call, request):
                return injection
            injection.scene.pages[request.body] += call.operation == "Scan"
            return None

    def _leave(self) -> None:
        with self._lock:
            self._under_way -= 1
            self._moved = time.monotonic()
