"""Runs your code in a child process: a record that ends the process is found and set aside.

The workflow retries a worker that died, and the retry would die at the same record. So a retry sends its records
through a child process. When the child ends, its last record is known, and another child continues with the rest. The
first attempt has no child, since sending records to another process costs more than the transformation itself.

A record is blamed for the end of a child only if the child took no other record before it. Otherwise memory may be full
of things that transform() kept of the records before.
"""

import mmap
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from etl.invocation.metrics import peak_memory_mb
from etl.model.rejection import OutOfMemoryError, RejectedError, TooSlowError
from etl.user.transformer import TOGETHER_BYTES, TOGETHER_SECONDS, Fate, InProcessTransformer

# A child whose record didn't stop is killed after this additional time.
GRACE_SECONDS = 5
_LOOK_SECONDS = 0.5
# After this time the caller gets the fates so far: it knows how much of the invocation's time remains.
_SOON_SECONDS = 1.0
# The growth of the worker's own memory, without the child's, in MiB: a child's answer twice (TOGETHER_BYTES, and the
# results of one more record), aggregates, and the objects that it reads and writes.
_OWN_MEMORY_MB = 176
_LEAST_MEMORY_MB = 32
_BEFORE_THE_FIRST = -1
# Lambda has no /dev/shm, which queues and locks of multiprocessing need. Pipes and anonymous memory don't need it.
_fork = multiprocessing.get_context("fork")


class _Full(NamedTuple):
    """The answer of a child whose memory is full: the fates before that. Another child continues."""

    fates: list[Fate]


class IsolatedTransformer:
    """Runs records through the user's code in a child process; a context manager, which ends it.

    Args:
        transformer: runs them within a process.
        memory_mb: the memory that this process and its child may have together, in MiB; None for no limit.
        clock: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        transformer: InProcessTransformer,
        memory_mb: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aggregates = transformer.aggregates
        self.seconds = transformer.seconds
        self._transformer = transformer
        self._memory_mb = memory_mb
        self._clock = clock
        self._together = together(transformer.seconds)
        self._position = mmap.mmap(-1, mmap.PAGESIZE)  # shared with the child
        self._child: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Start nothing yet: the first records start the child."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        self._end()

    def __call__(self, lines: Sequence[bytes]) -> list[Fate]:
        """Return the fates of records, as :class:`etl.user.transformer.Transformer` does."""
        fates: list[Fate] = []
        soon = self._clock() + _SOON_SECONDS
        while len(fates) < len(lines) and not self._is_last(fates):
            fates += self._first_of(lines[len(fates) :][: self._together])
            if fates and self._clock() > soon:
                break
        return fates

    def _is_last(self, fates: list[Fate]) -> bool:
        """Whether no more records are taken together with these."""
        around = self._transformer.around_bytes
        sizes = (len(line) + around for each in fates if isinstance(each, list) for line, _ in each)
        return bool(fates) and (isinstance(fates[-1], TooSlowError) or sum(sizes) > TOGETHER_BYTES)

    def _first_of(self, lines: Sequence[bytes]) -> list[Fate]:
        """Return the fates of the first records: of all, of those up to the one that ends the child, or of none yet."""
        fresh = self._child is None
        answer = self._asked(lines)
        if not isinstance(answer, RejectedError):
            return answer
        self._end()
        position = _read(self._position)
        if position > 0:
            before = self._first_of(lines[:position])
            if isinstance(answer, TooSlowError) and len(before) == position:
                return [*before, answer]
            self._end()  # a child that took no other record takes the next one
            return before  # one of them may be too slow this time, and be the last
        if not fresh and not isinstance(answer, TooSlowError):
            return []
        if position == _BEFORE_THE_FIRST and len(lines) > 1:
            return self._first_of(lines[:1])
        return [answer]

    def _asked(self, lines: Sequence[bytes]) -> list[Fate] | RejectedError:
        """The child's answer, or the way in which it ended without one.

        Raises:
            Exception: the child's own, for example for a line that isn't JSON.
        """
        connection = self._connection or self._start()
        _write(self._position, _BEFORE_THE_FIRST)
        try:
            connection.send(list(lines))
            if not self._waited(connection):
                return TooSlowError.after(self.seconds, "(it can't be interrupted)")
            answer: list[Fate] | _Full | Exception | str = connection.recv()
        except (EOFError, OSError):
            answer = self._end()
        if isinstance(answer, _Full):
            self._end()
            return answer.fates
        if isinstance(answer, list):
            return answer
        if isinstance(answer, MemoryError):
            # All records together need too much. transform()'s own MemoryError would be the fate of its record.
            _write(self._position, _BEFORE_THE_FIRST)
        if _read(self._position) == _BEFORE_THE_FIRST and isinstance(answer, (str, MemoryError)):
            return OutOfMemoryError.at(len(lines[0]))
        if isinstance(answer, Exception):
            raise answer
        return RejectedError.of_record("transform() must leave its process running", answer)

    def _waited(self, connection: Connection) -> bool:
        """Wait for the child's answer or end; False if it stays at one record for too long."""
        seen, waited = None, 0.0
        while not connection.poll(_LOOK_SECONDS):
            position = _read(self._position)
            seen, waited = position, waited + _LOOK_SECONDS if position == seen else 0.0
            if waited > self.seconds + GRACE_SECONDS:
                return False
        return True

    def _start(self) -> Connection:
        self._connection, theirs = _fork.Pipe()
        arguments = (self._connection, theirs, self._transformer, self._position, self._memory_mb)
        self._child = _fork.Process(target=_child, args=arguments, daemon=True)
        self._child.start()
        theirs.close()
        return self._connection

    def _end(self) -> str:
        """End the child, and describe how it ended if it did so by itself."""
        if self._child is None or self._connection is None:
            return ""
        self._connection.close()
        self._child.join(timeout=1)
        code = self._child.exitcode
        self._child.kill()
        self._child.join()
        self._child = self._connection = None
        if code is None:
            return "a closed connection"
        if code >= 0:
            return f"an end with exit status {code}"
        return f"an end by signal {signal.Signals(-code).name}"


def together(seconds: int) -> int:
    """How many records a child takes at once: it may have to be ended at the last one, and the others are repeated."""
    most = TOGETHER_SECONDS - GRACE_SECONDS - _LOOK_SECONDS - _SOON_SECONDS
    return max(1, int(most / seconds + 1) // 2)


def _child(
    parents: Connection,
    own: Connection,
    transformer: InProcessTransformer,
    position: mmap.mmap,
    memory_mb: float | None,
) -> None:
    with suppress(BaseException):  # the traceback would go into the log, and may show a record
        parents.close()  # else the end of the parent would go unnoticed
        if memory_mb is not None:
            limit_memory(memory_mb)
        serve(own, transformer, position)
        return
    os._exit(1)


def serve(connection: Connection, transformer: InProcessTransformer, position: mmap.mmap) -> None:
    """Answer the requests of a connection until its other side is closed.

    Args:
        connection: brings lists of lines, and takes their fates, or the exception that prevented them.
        transformer: runs records through the user's code.
        position: shared memory that shows the current record.
    """
    fresh = True
    with transformer, suppress(EOFError, OSError):
        while True:
            lines = connection.recv()
            try:
                fates = transformer(lines, lambda number: _write(position, number))
                connection.send(_believed(fates, fresh=fresh))
            except OSError:
                raise
            except Exception as error:
                connection.send(error)
            fresh = False


def _believed(fates: list[Fate], *, fresh: bool) -> list[Fate] | _Full:
    """The fates before memory was full; or the first alone, if a fresh child hasn't enough memory for it."""
    for number, each in enumerate(fates):
        if isinstance(each, OutOfMemoryError):
            return fates[:1] if fresh and number == 0 else _Full(fates[:number])
    return fates


def limit_memory(memory_mb: float) -> None:
    """Limit this process, a child, to the part of a function's memory that its parent doesn't use.

    Beyond it Python raises MemoryError. Lambda would end both processes.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux, so not Lambda
        return
    more = max(_LEAST_MEMORY_MB, memory_mb - peak_memory_mb() - _OWN_MEMORY_MB)
    limit = pages * mmap.PAGESIZE + int(more * 1024 * 1024)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _read(position: mmap.mmap) -> int:
    return int.from_bytes(position[:8], signed=True)


def _write(position: mmap.mmap, number: int) -> None:
    position[:8] = number.to_bytes(8, signed=True)
