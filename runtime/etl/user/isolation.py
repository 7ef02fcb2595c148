"""The user's code in a process of its own: a record that ends its process is found, and set aside.

A worker that died is tried again by the workflow, and would die again at the same record. So the second attempt sends
its records through a child process: when that one ends, the record that it was at is known, and the rest goes on in
another child. The first attempt doesn't, since the way to another process costs more than the transformation itself.

A record is blamed only for the end of a child that took no other before it: memory may be full of what transform() has
kept of the records before.
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
from etl.user.records import MADE_BYTES, TOGETHER_SECONDS, Made, Records
from etl.user.transformation import around_bytes

# After this much more time, a child whose record didn't stop is killed.
GRACE_SECONDS = 5
_LOOK_SECONDS = 0.5
# After so long, the caller gets what there is: it knows how much of the invocation's time is left.
_SOON_SECONDS = 1.0
# The worker's own memory may grow by so much beside the child's, in MiB: a child's answer twice (MADE_BYTES, and the
# results of one more record), aggregates, and the objects that it reads and writes.
_OWN_MEMORY_MB = 176
_LEAST_MEMORY_MB = 32
_BEFORE_THE_FIRST = -1
# Lambda has no /dev/shm, which queues and locks of multiprocessing need; pipes and anonymous memory need none.
_fork = multiprocessing.get_context("fork")


class _Spent(NamedTuple):
    """The answer of a child whose memory is full: what it made before that. Another child goes on."""

    made: list[Made]


class IsolatedRecords:
    """Takes records through the user's code in a child process; a context manager, which ends it.

    Args:
        records: takes them through in a process.
        memory_mb: what this process and its child may have together, in MiB; None for no limit.
        clock: a clock that never goes back, in seconds.
    """

    def __init__(self, records: Records, memory_mb: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.aggregates = records.aggregates
        self.seconds = records.seconds
        self._records = records
        self._memory_mb = memory_mb
        self._clock = clock
        self._around_bytes = around_bytes(records.aggregates)
        self._together = together(records.seconds)
        self._position = mmap.mmap(-1, mmap.PAGESIZE)  # shared with the child
        self._child: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """The child is started for the first records."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        self._end()

    def __call__(self, lines: Sequence[bytes]) -> list[Made]:
        """Say what records become, as :class:`etl.user.records.Through` does."""
        made: list[Made] = []
        soon = self._clock() + _SOON_SECONDS
        while len(made) < len(lines) and not self._is_last(made):
            made += self._first_of(lines[len(made) :][: self._together])
            if made and self._clock() > soon:
                break
        return made

    def _is_last(self, made: list[Made]) -> bool:
        """Whether no more records are taken together with these."""
        sizes = (len(line) + self._around_bytes for each in made if isinstance(each, list) for line, _ in each)
        return bool(made) and (isinstance(made[-1], TooSlowError) or sum(sizes) > MADE_BYTES)

    def _first_of(self, lines: Sequence[bytes]) -> list[Made]:
        """Say what the first records become: all of them, or those up to the one that ends the child, or none yet."""
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
            self._end()  # the next is taken by a child that took no other
            return before  # one of them may be too slow this time, and be the last
        if not fresh and not isinstance(answer, TooSlowError):
            return []
        if position == _BEFORE_THE_FIRST and len(lines) > 1:
            return self._first_of(lines[:1])
        return [answer]

    def _asked(self, lines: Sequence[bytes]) -> list[Made] | RejectedError:
        """The child's answer; or how it ended without one.

        Raises:
            Exception: the child's own, such as for a line that isn't JSON.
        """
        connection = self._connection or self._start()
        _write(self._position, _BEFORE_THE_FIRST)
        try:
            connection.send(list(lines))
            if not self._waited(connection):
                return TooSlowError.after(self._records.seconds, "(it can't be interrupted)")
            answer: list[Made] | _Spent | Exception | str = connection.recv()
        except (EOFError, OSError):
            answer = self._end()
        if isinstance(answer, _Spent):
            self._end()
            return answer.made
        if isinstance(answer, list):
            return answer
        if isinstance(answer, MemoryError):
            # All together are too much: what transform() raises for one record is that record's.
            _write(self._position, _BEFORE_THE_FIRST)
        if _read(self._position) == _BEFORE_THE_FIRST and isinstance(answer, (str, MemoryError)):
            return OutOfMemoryError.at(len(lines[0]))
        if isinstance(answer, Exception):
            raise answer
        return RejectedError.of_record("transform() must leave its process running", answer)

    def _waited(self, connection: Connection) -> bool:
        """Whether the child answers, or ends, before it is at one record for too long."""
        seen, waited = None, 0.0
        while not connection.poll(_LOOK_SECONDS):
            position = _read(self._position)
            seen, waited = position, waited + _LOOK_SECONDS if position == seen else 0.0
            if waited > self._records.seconds + GRACE_SECONDS:
                return False
        return True

    def _start(self) -> Connection:
        self._connection, theirs = _fork.Pipe()
        arguments = (self._connection, theirs, self._records, self._position, self._memory_mb)
        self._child = _fork.Process(target=_child, args=arguments, daemon=True)
        self._child.start()
        theirs.close()
        return self._connection

    def _end(self) -> str:
        """End the child; in words how it ended, if it has by itself."""
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
    """How many records a child takes at once: the last may have to be ended, and those before it are taken again."""
    most = TOGETHER_SECONDS - GRACE_SECONDS - _LOOK_SECONDS - _SOON_SECONDS
    return max(1, int(most / seconds + 1) // 2)


def _child(
    parents: Connection, own: Connection, records: Records, position: mmap.mmap, memory_mb: float | None
) -> None:
    with suppress(BaseException):  # its traceback would go into the log, and may show a record
        parents.close()  # else the end of the parent would go unnoticed
        if memory_mb is not None:
            limit_memory(memory_mb)
        serve(own, records, position)
        return
    os._exit(1)


def serve(connection: Connection, records: Records, position: mmap.mmap) -> None:
    """Answer what comes through a connection until its other side is closed.

    Args:
        connection: brings lists of lines, and takes what they become, or the exception that says why not.
        records: takes records through the user's code.
        position: memory that is told which of them it is at.
    """
    fresh = True
    with records, suppress(EOFError, OSError):
        while True:
            lines = connection.recv()
            try:
                connection.send(_believed(records(lines, lambda number: _write(position, number)), fresh=fresh))
            except OSError:
                raise
            except Exception as error:
                connection.send(error)
            fresh = False


def _believed(made: list[Made], *, fresh: bool) -> list[Made] | _Spent:
    """All that was made before memory was full; or that there isn't enough for the first of all records."""
    for number, each in enumerate(made):
        if isinstance(each, OutOfMemoryError):
            return made[:1] if fresh and number == 0 else _Spent(made[:number])
    return made


def limit_memory(memory_mb: float) -> None:
    """Limit this process, a child, to what its parent leaves of a function's memory.

    Beyond it Python raises MemoryError, where Lambda would end both.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # no Linux, and so no Lambda
        return
    more = max(_LEAST_MEMORY_MB, memory_mb - peak_memory_mb() - _OWN_MEMORY_MB)
    limit = pages * mmap.PAGESIZE + int(more * 1024 * 1024)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def _read(position: mmap.mmap) -> int:
    return int.from_bytes(position[:8], signed=True)


def _write(position: mmap.mmap, number: int) -> None:
    position[:8] = number.to_bytes(8, signed=True)
