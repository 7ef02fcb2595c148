"""The user's transformation, loaded and guarded: whatever it does to a record, the run goes on."""

import traceback
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from decimal import Context, getcontext, setcontext
from typing import Any

from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError
from etl.model.run import Run
from etl.model.schema import DESTINATION_KEY
from etl.tables.timestamps import Verdict, check_timestamps
from etl.user.aggregates import Accumulator, Aggregate
from etl.user.contract import Checker
from etl.user.summary import Summaries, code_of
from etl.user.time_limit import OverTimeError
from etl.values.attribute_values import Record
from etl.values.item_size import MAX_ITEM_BYTES, least_size
from etl.values.plain_json import plain_line, to_plain

# A number of DynamoDB has at most 38 digits, so transform() computes with as many.
_ARITHMETIC = Context(prec=38)
_MOST_MESSAGE = 500
# What one record may become, in bytes of memory: the lines, and an estimate of the objects around each line and around
# what each reader makes of it. A worker holds it several times at once: see docs/design.md, "Memory".
MOST_RESULTS_BYTES = 32 * 1024 * 1024
_OBJECT_BYTES = 256
# A shorter line can't fill Load's memory, whatever is in it: DynamoDB says whether it is an item.
_LONG_LINE_BYTES = 1024 * 1024
# A Decimal, which an aggregate adds up: each is an object of its own.
_NUMBER_BYTES = 112
# The longest line of a result. An item of DynamoDB has at most 10 MB of plain JSON; but in a map, None takes no room
# there, so a list of maps of nothing else may be as long as can be, and Load would make objects of all.
MOST_LINE_BYTES = 16 * 1024 * 1024
_MOST_SIZE = f"must have at most {MAX_ITEM_BYTES:,} bytes, as DynamoDB counts them"
_MOST_LINE = f"must have at most {MOST_LINE_BYTES:,} bytes of JSON, None included"
_MOST_RESULTS = f"its results must take at most {MOST_RESULTS_BYTES // 1024**2} MB of memory together"
_NOTHING = object()
EXAMPLE_RUN = Run(
    id="20240116T020000000Z",
    start="2024-01-15T00:00:00Z",
    end="2024-01-16T00:00:00Z",
    time="2024-01-16T02:00:00Z",
    execution="example",
    segments=1,
)


def around_bytes(aggregates: Iterable[Aggregate]) -> int:
    """The memory that a result takes at most beside its line, with what aggregates make of it: an estimate."""
    return _OBJECT_BYTES + sum(_OBJECT_BYTES + _NUMBER_BYTES * len(aggregate.of) for aggregate in aggregates)


class Transformation:
    """What a transformation file defines.

    Args:
        module: the module, or anything with its ``Contract``, ``transform`` and, if any, ``AGGREGATES``.

    Raises:
        TransformationError: one of them is missing or can't be used.
    """

    def __init__(self, module: Any) -> None:
        for name in ("Contract", "transform"):
            if not callable(getattr(module, name, None)):
                raise TransformationError(
                    f"transformation.py must define {name}, got {getattr(module, name, None)!r}; "
                    "see docs/transformations.md"
                )
        self._transform = module.transform
        self._checker = Checker(module.Contract)
        self.aggregates: list[Aggregate] = _aggregates(getattr(module, "AGGREGATES", []))
        self._around_bytes = around_bytes(self.aggregates)
        names = [aggregate.name for aggregate in self.aggregates]
        if len(set(names)) < len(names):
            raise TransformationError(f"AGGREGATES: each needs a name of its own, got {', '.join(names)}")
        self._summaries = Summaries(module.Contract, self.aggregates, DESTINATION_KEY, code_of(module))

    def check(self, records: list[Record], now: str) -> list[Verdict]:
        """Check records: the timestamp, as a run that started at ``now`` reads it; if it is that run's, the contract.

        Returns:
            For each why it is rejected, ``AHEAD`` for one that is a later run's, None for one that goes on.
        """
        times = check_timestamps(records, now)
        breaches = iter(self._checker.check([record for record, time in zip(records, times, strict=True) if not time]))
        verdicts = [time or next(breaches) for time in times]
        for verdict in filter(None, verdicts):
            if isinstance(verdict, RejectedError):
                self._summaries.own(verdict)
        return verdicts

    def apply(
        self, record: Record, run: Run, readers: Sequence[Callable[[Record], Any]] = ()
    ) -> list[tuple[bytes, list[Any]]]:
        """Transform one checked record.

        Args:
            record: the record; it's the transformation's to change.
            run: the run.
            readers: what else wants to see each result, such as ``Accumulator.prepare``. They must not keep it: a
                generator may yield the same dict again and again, changed in between.

        Returns:
            Each result as a line of plain JSON, with what each of the readers made of it.

        Raises:
            RejectedError: ``transform`` raised (also ``SystemExit``), what it returned can't be loaded or is more than
                one record may become, or a reader rejects it. Its texts are bounded.
            KeyboardInterrupt: a person's, at a preview, which isn't the record's.
            OverTimeError: the caller's time limit.
        """
        outer = getcontext()
        setcontext(_ARITHMETIC.copy())
        made: list[tuple[bytes, list[Any]]] = []
        checked: Any = _NOTHING
        try:
            returned = self._transform(record, run)
            if type(returned) is dict:
                checked = returned
                return [(self._line(returned), [read(returned) for read in readers])]
            left_bytes, around = MOST_RESULTS_BYTES, self._around_bytes
            for result in _several(returned):
                checked = result
                line = self._line(result)
                left_bytes -= len(line) + around
                if left_bytes < 0:
                    raise RejectedError(_MOST_RESULTS, got=f"more after {len(made):,} of them")
                made.append((line, [read(result) for read in readers]))
                checked = _NOTHING
            return made
        except RejectedError as error:
            raise self._sound(error, checked) from error
        except (KeyboardInterrupt, OverTimeError):
            raise
        except BaseException as error:  # SystemExit too: one record's failure doesn't end the process
            raise self._failure(error) from error
        finally:
            setcontext(outer)

    def _line(self, result: Any) -> bytes:
        if type(result) is not dict:
            raise RejectedError("transform() must return a dict, a list of dicts or None", got=type(result).__name__)
        line = plain_line(result, self._checker.floats)
        if len(line) > _LONG_LINE_BYTES and (size := least_size(result)) > MAX_ITEM_BYTES:
            raise RejectedError(_MOST_SIZE, got=f"{size:,} bytes")
        if len(line) > MOST_LINE_BYTES:
            raise RejectedError(_MOST_LINE, got=f"{len(line):,} bytes")
        for name in DESTINATION_KEY:
            if type(result.get(name)) is not str or not result[name]:
                got = repr(to_plain(result, self._checker.floats).get(name))[:60]
                raise RejectedError("expected text that isn't empty, for the destination's key", field=name, got=got)
        return line

    def _sound(self, error: RejectedError, checked: Any) -> RejectedError:
        """A rejection as quarantine takes it, whatever transform() made of its class or its attributes.

        Args:
            error: the rejection.
            checked: the result that the pipeline found fault with; ``_NOTHING`` when transform() itself raised it.
        """
        try:
            rule, field, got = (str(part)[:_MOST_MESSAGE] for part in (error.rule, error.field, error.got))
        except Exception:  # a subclass that never set them
            return self._failure(error)
        sound = RejectedError(rule, field=field, got=got)
        return self._summaries.users(sound) if checked is _NOTHING else self._summaries.own(sound, checked)

    def _failure(self, error: BaseException) -> RejectedError:
        """What transform() raised, and where."""
        name = type(error).__name__
        try:
            message = str(error)[:_MOST_MESSAGE]
        except BaseException:
            message = "its own message can't be shown"
        rejection = RejectedError(f"transform() must not raise {name}", got=f"{name}: {message} {self.where(error)}")
        return self._summaries.failure(rejection, error)

    def where(self, error: BaseException) -> str:
        """Where an error was raised, in the innermost line of the user's own file: ``(transformation.py line 12)``."""
        lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        own = getattr(getattr(self._transform, "__code__", None), "co_filename", "")
        file, line = ([each for each in lines if each[0] == own] or lines)[-1]
        return f"({file.rpartition('/')[2]} line {line})"


def preview(module: Any, record: Record, run: Run = EXAMPLE_RUN) -> list[Record]:
    """What a transformation file makes of one record, checks included: for the tests of that file.

    Args:
        module: the file, imported: ``import transformation``.
        record: attributes by name; left as it is.
        run: the run; by default one of the window 2024-01-15 to 2024-01-16.

    Raises:
        RejectedError: the record would go to quarantine.
        TransformationError: the file can't be used.
    """
    user = Transformation(module)
    copied = deepcopy(record)
    (verdict,) = user.check([copied], run.time)
    if isinstance(verdict, RejectedError):
        raise verdict
    aggregates = [Accumulator(aggregate).prepare for aggregate in user.aggregates]
    return [result for _, (result, *_) in user.apply(copied, run, [dict, *aggregates])]


def _several(result: Any) -> Iterable[Any]:
    if result is None:
        return ()
    # What is neither is refused as a record.
    return result if isinstance(result, Iterable) and not isinstance(result, (dict, str, bytes)) else (result,)


def _aggregates(given: Any) -> list[Aggregate]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, Aggregate) for each in given):
        raise TransformationError("AGGREGATES must be a list of Aggregate(...); see docs/transformations.md")
    return list(given)
