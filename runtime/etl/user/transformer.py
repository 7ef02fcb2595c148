"""Run staged records through your code. Each record gets an outcome, even if the code fails.

Transform and the command's preview both use it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from etl.model.function_settings import ReadByTransform
from etl.model.rejection import OutOfMemoryError, RejectedError, TooSlowError
from etl.model.run import Run
from etl.tables.change_time import INCLUDED, LeftOut, Verdict
from etl.user.accumulator import Accumulator, Prepared
from etl.user.aggregates import Aggregate
from etl.user.time_limit import OverTimeError, TimeLimit
from etl.user.transformation import Transformation
from etl.values.attribute_values import Record, from_wire

RECORD_SECONDS = ReadByTransform.record_seconds
"""The time limit of one record, in seconds, where no function's environment gives it."""

TOGETHER_SECONDS = 280
"""The longest time of records that are taken together if each uses all of its own: an invocation has 300 s."""

TOGETHER_BYTES = 4 * 1024 * 1024
"""The most bytes of memory that the results of records may have together, by an estimate. The record that exceeds them
is the last."""

Results = list[tuple[bytes, list[Prepared]]]
"""The results of a record: lines of plain JSON, each with its addition to every aggregate; none of a dropped one."""


class Included(Results):
    """The results of a record without a time."""


Fate = Results | RejectedError | LeftOut
"""The fate of a record: its results, the reason why it goes to quarantine, or the reason why the run leaves it out."""


class Transformer(Protocol):
    """Runs records through the user's code."""

    @property
    def aggregates(self) -> list[Aggregate]:
        """The transformation's aggregates."""
        ...

    @property
    def seconds(self) -> int:
        """The time that one record may take."""
        ...

    def __call__(self, lines: Sequence[bytes]) -> list[Fate]:
        """Return the fates of the first records, of one at least.

        A record that had to be stopped is the last, since time may be short then. So is a record whose results exceed
        ``TOGETHER_BYTES``.

        Args:
            lines: lines of DynamoDB JSON.

        Raises:
            msgspec.DecodeError: a line isn't JSON.
            ValueError: a line doesn't hold one record of DynamoDB JSON.
        """
        ...


class InProcessTransformer:
    """Runs records through the user's code in this process; a context manager, which limits their time.

    Args:
        user: the transformation.
        run: the run.
        seconds: the time that one record may take.
    """

    def __init__(self, user: Transformation, run: Run, seconds: int) -> None:
        self.aggregates = user.aggregates
        self.around_bytes = user.around_bytes
        self.seconds = seconds
        self._user = user
        self._run = run
        self._readers = [Accumulator(aggregate).prepare for aggregate in user.aggregates]
        self._limit = TimeLimit(seconds)

    def __enter__(self) -> Self:
        """Limit the time."""
        self._limit.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End the limit."""
        self._limit.__exit__()

    def __call__(self, lines: Sequence[bytes], on_record: Callable[[int], None] | None = None) -> list[Fate]:
        """Return the fates of records, as :class:`Transformer` does.

        Args:
            lines: lines of DynamoDB JSON.
            on_record: called with the position of each record before ``transform()`` gets it.
        """
        records = from_wire(b"[" + b",".join(lines) + b"]")
        if len(records) != len(lines):
            raise ValueError("a line doesn't hold one record")
        verdicts = self._checked(records)
        records.reverse()
        fates: list[Fate] = []
        result_bytes, around = 0, self.around_bytes
        limit, apply, run, readers = self._limit, self._user.apply, self._run, self._readers
        try:
            for verdict in verdicts:
                record = records.pop()  # it is freed when it is done: transform() may have made it large
                if verdict is not None and verdict != INCLUDED:
                    fates.append(verdict)
                    if type(verdict) is TooSlowError:
                        break
                    continue
                if on_record:
                    on_record(len(fates))
                limit.work = record
                try:
                    results = apply(record, run, readers)
                except RejectedError as reason:
                    fates.append(self._freed(reason, lines[len(fates)]))
                else:
                    fates.append(Included(results) if verdict is INCLUDED else results)
                    for line, _ in results:
                        result_bytes += len(line) + around
                    if result_bytes > TOGETHER_BYTES:
                        break
            limit.work = None
        except OverTimeError as error:
            work, limit.work = limit.work, None
            # Otherwise it was done at the last moment.
            if len(fates) + len(records) < len(lines) and work is record:
                fates.append(TooSlowError.after(self.seconds, self._user.where(error)))
        return fates

    def _freed(self, reason: RejectedError, line: bytes) -> RejectedError:
        """The reason without its traceback, which holds the record; the record's size if memory was too small."""
        error, reason.__cause__, reason.__context__ = reason.__cause__, None, None
        if isinstance(error, MemoryError):
            return OutOfMemoryError.at(len(line), self._user.where(error))
        return reason.with_traceback(None)

    def _checked(self, records: list[Record]) -> list[Verdict]:
        """The verdicts on all records. A pattern of the contract may take as long as ``transform()``."""
        limit = self._limit
        try:
            limit.work = records
            verdicts = self._user.check(records, self._run)
            limit.work = None
        except OverTimeError:
            limit.work = None
            return [self._checked_alone(record) for record in records]
        return verdicts

    def _checked_alone(self, record: Record) -> Verdict:
        limit = self._limit
        try:
            limit.work = record
            (verdict,) = self._user.check([record], self._run)
            limit.work = None
        except OverTimeError:
            limit.work = None
            return TooSlowError.after(self.seconds, "(a check of the contract)")
        return verdict
