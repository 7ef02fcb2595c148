"""Errors as botocore raises them, and a way to make chosen calls fail."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError


class Crash(BaseException):
    """The worker's process is gone: nothing in it runs on, so no ``except Exception`` sees this."""


def client_error(code: str, status: int = 400, message: str = "", operation: str = "Operation") -> ClientError:
    """An error answer of AWS."""
    return ClientError(
        {"Error": {"Code": code, "Message": message or code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


class Faults:
    """Notes every call, and fails the one that a test names, before or after it took effect.

    A call that fails with :class:`Crash` takes its process along: all later calls fail too, until :meth:`revive`.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._fail_at = 0
        self._after = False
        self._error: Callable[[], BaseException] = Crash
        self._dead = False
        self._lock = threading.Lock()

    def fail(self, number: int, error: Callable[[], BaseException] = Crash, *, after: bool = False) -> None:
        """Let the call with this number, counted from 1, fail."""
        self._fail_at, self._error, self._after = number, error, after

    def revive(self) -> None:
        """A new process takes over."""
        self._dead = False

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """One call; its body takes effect."""
        with self._lock:
            if self._dead:
                raise Crash
            self.calls.append(operation)
            hit = len(self.calls) == self._fail_at
        if hit and not self._after:
            raise self._failure()
        try:
            yield
        finally:
            if hit:
                raise self._failure()

    def _failure(self) -> BaseException:
        error = self._error()
        self._dead = isinstance(error, Crash)
        return error
