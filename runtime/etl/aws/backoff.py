"""Repeats requests after transient failures. The SDK's own waits change with its version, so they are switched off."""

import math
import random
import time
from collections.abc import Callable
from functools import wraps
from inspect import isfunction
from typing import Any, ParamSpec, TypeVar

# Codes with which AWS asks for fewer requests: of DynamoDB, of S3 (SlowDown), and of other services. Sources: DynamoDB
# Developer Guide, "Error handling with DynamoDB"; S3 API Reference, "Error responses"; the services' API references,
# "Common errors".
THROTTLING_CODES = frozenset(
    (
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)
_FIRST_SECONDS = 0.05
_MOST_SECONDS = 5.0
# A request that hangs fails after more than the bridge's time, and is still repeated.
_LEAST_ATTEMPTS = 3
# This much of an invocation's time stays for abandoning open objects and for the error.
_LAST_SECONDS = 1.0
_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


def full_jitter(failures: int) -> float:
    """A random wait in seconds after a number of earlier failures; its bound doubles from 0.05 to 5 s.

    Source: Amazon Builders' Library, "Timeouts, retries, and backoff with jitter".
    """
    return random.uniform(0, min(_MOST_SECONDS, _FIRST_SECONDS * 2**failures))  # noqa: S311 - jitter


class Bridge:
    """Repeats a client's requests until they succeed or its time has passed.

    Args:
        seconds: the time after a request's beginning in which attempts may begin; the third is made in any case.
        passes: whether an error passes by itself.
        clock: a clock that never goes back, in seconds.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        seconds: float,
        passes: Callable[[Exception], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._passes = passes
        self._clock = clock
        self._sleep = sleep
        self._remaining_ms: Callable[[], float] = lambda: math.inf

    def within(self, remaining_ms: Callable[[], float]) -> None:
        """Keep all repetitions within an invocation's remaining time, in milliseconds."""
        self._remaining_ms = remaining_ms

    def over(self, call: Callable[_Given, _Answer]) -> Callable[_Given, _Answer]:
        """The same call with repetitions; the last error is raised as it is."""

        @wraps(call)
        def insist(*args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:
            ends, failures = self._clock() + self.seconds, 0
            while True:
                try:
                    return call(*args, **kwargs)
                except Exception as error:
                    wait = full_jitter(failures)
                    failures += 1
                    too_long = failures >= _LEAST_ATTEMPTS and self._clock() + wait > ends
                    if too_long or self._is_over(wait) or not self._passes(error):
                        raise
                self._sleep(wait)

        return insist

    def _is_over(self, wait: float) -> bool:
        return self._remaining_ms() < (wait + _LAST_SECONDS) * 1000

    def over_class(self, methods: dict[str, Any], left_out: frozenset[str]) -> None:
        """Repeat the calls of a client's class, except methods whose callers wait themselves."""
        for name, method in methods.items():
            if isfunction(method) and name not in left_out:
                methods[name] = self.over(method)
