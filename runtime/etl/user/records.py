"""Staged records through the user's code: what each of them becomes, whatever the code does.

Transform and the preview of the command use the same.
"""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, Self

from etl.model.rejection import OutOfMemoryError, RejectedError, TooSlowError
from etl.model.run import Run
from etl.model.settings import ReadByTransform
from etl.tables.timestamps import Verdict
from etl.user.aggregates import Accumulator, Aggregate, Prepared
from etl.user.time_limit import OverTimeError, TimeLimit
from etl.user.transformation import Transformation, around_bytes
from etl.values.attribute_values import Record, from_wire

RECORD_SECONDS = ReadByTransform.record_seconds
"""The time limit of one record, in seconds, where no function's environment gives it."""

TOGETHER_SECONDS = 280
"""The longest time of records that are taken together, if each takes all of its own: an invocation has 300 s."""

MADE_BYTES = 4 * 1024 * 1024
"""The most that records which are taken together become, in bytes of memory as it is estimated: the one that passes it
is the last."""

Made = list[tuple[bytes, list[Prepared]]] | RejectedError | Literal["ahead"]
"""The fate of a record: lines of plain JSON, each with what every aggregate makes of it, and none if it is dropped; or
the reason why it goes to quarantine; or that it's a later run's."""


class Through(Protocol):
    """A way through the user's code."""

    @property
    def aggregates(self) -> list[Aggregate]:
        """The transformation's aggregates."""
        ...

    @property
    def seconds(self) -> int:
        """How long one record may take."""
        ...

    def __call__(self, lines: Sequence[bytes]) -> list[Made]:
        """Say what the first records become, one of them at least.

        One that had to be stopped is the last, since time may be low by then; one with which the results are many bytes
        is the last, too.

        Args:
            lines: lines of DynamoDB JSON.

        Raises:
            msgspec.DecodeError: a line isn't JSON.
            ValueError: a line doesn't hold one record of DynamoDB JSON.
        """
        ...


class Records:
    """Takes records through the user's code, in this process; a context manager, within which time is limited.

    Args:
        user: the transformation.
        run: the run.
        seconds: how long one record may take.
    """

    def __init__(self, user: Transformation, run: Run, seconds: int) -> None:
        self.aggregates = user.aggregates
        self.seconds = seconds
        self._user = user
        self._run = run
        self._readers = [Accumulator(aggregate).prepare for aggregate in user.aggregates]
        self._around_bytes = around_bytes(user.aggregates)
        self._limit = TimeLimit(seconds)

    def __enter__(self) -> Self:
        """Limit the time."""
        self._limit.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End the limit."""
        self._limit.__exit__()

    def __call__(self, lines: Sequence[bytes], on_record: Callable[[int], None] | None = None) -> list[Made]:
        """Say what records become, as :class:`Through` does.

        Args:
            lines: lines of DynamoDB JSON.
            on_record: called with the position of each record before the user's ``transform()`` gets it.
        """
        records = from_wire(b"[" + b",".join(lines) + b"]")
        if len(records) != len(lines):
            raise ValueError("a line doesn't hold one record")
        verdicts = self._checked(records)
        records.reverse()
        made: list[Made] = []
        made_bytes, around = 0, self._around_bytes
        limit, apply, run, readers = self._limit, self._user.apply, self._run, self._readers
        try:
            for verdict in verdicts:
                record = records.pop()  # and let it go when it is done: it may have grown
                if verdict is not None:
                    made.append(verdict)
                    if type(verdict) is TooSlowError:
                        break
                    continue
                if on_record:
                    on_record(len(made))
                limit.work = record
                try:
                    results = apply(record, run, readers)
                except RejectedError as reason:
                    made.append(self._told(reason, lines[len(made)]))
                else:
                    made.append(results)
                    for line, _ in results:
                        made_bytes += len(line) + around
                    if made_bytes > MADE_BYTES:
                        break
            limit.work = None
        except OverTimeError as error:
            work, limit.work = limit.work, None
            # Else it was done at the last moment.
            if len(made) + len(records) < len(lines) and work is record:
                made.append(TooSlowError.after(self.seconds, self._user.where(error)))
        return made

    def _told(self, reason: RejectedError, line: bytes) -> RejectedError:
        """The reason, or the record's size if memory was; without its traceback, which holds the record."""
        error, reason.__cause__, reason.__context__ = reason.__cause__, None, None
        if isinstance(error, MemoryError):
            return OutOfMemoryError.at(len(line), self._user.where(error))
        return reason.with_traceback(None)

    def _checked(self, records: list[Record]) -> list[Verdict]:
        """The verdicts on all records; a pattern of the contract may take as long as transform()."""
        limit = self._limit
        try:
            limit.work = records
            verdicts = self._user.check(records, self._run.time)
            limit.work = None
        except OverTimeError:
            limit.work = None
            return [self._checked_alone(record) for record in records]
        return verdicts

    def _checked_alone(self, record: Record) -> Verdict:
        limit = self._limit
        try:
            limit.work = record
            (verdict,) = self._user.check([record], self._run.time)
            limit.work = None
        except OverTimeError:
            limit.work = None
            return TooSlowError.after(self.seconds, "(a check of the contract)")
        return verdict
