"""Your transformation, guarded: nothing that it does to a record ends the run."""

import traceback
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from decimal import Context, Decimal, getcontext, setcontext
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from etl.model.errors import TransformationError
from etl.model.keys import MOST_KEY_BYTES, KeyType, parse_keys
from etl.model.rejection import RejectedError
from etl.model.run import Run
from etl.model.schema import SPECIFIED, Schema
from etl.tables.change_time import INCLUDED, Verdict, bounds_of, rule_of
from etl.user.accumulator import Accumulator
from etl.user.aggregates import Aggregate
from etl.user.contract import Checker
from etl.user.rejection_summary import Summaries, code_of
from etl.user.time_limit import OverTimeError
from etl.values.attribute_values import Record
from etl.values.item_size import MAX_ITEM_BYTES, least_size
from etl.values.plain_json import plain_line, to_plain

# A number of DynamoDB has at most 38 digits, so transform() computes with 38.
_ARITHMETIC = Context(prec=38)
_MOST_MESSAGE = 500
# The most that the results of one record may take, in bytes of memory: the lines, and an estimate of the objects around
# each line and around each aggregate's addition. A worker holds them several times: see docs/design.md, "Memory".
MOST_RESULTS_BYTES = 32 * 1024 * 1024
_OBJECT_BYTES = 256
# A shorter line can't fill Load's memory, so DynamoDB decides whether it is an item.
_LONG_LINE_BYTES = 1024 * 1024
# A Decimal that an aggregate adds up: each is an object of its own.
_NUMBER_BYTES = 112
# The longest line of a result. An item of DynamoDB has at most 10 MB of plain JSON. But None in a map takes no room
# there, so a list of maps of nothing else may have any length, and Load would make objects of all of them.
MOST_LINE_BYTES = 16 * 1024 * 1024
_MOST_SIZE = f"must have at most {MAX_ITEM_BYTES:,} bytes, as DynamoDB counts them"
_MOST_LINE = f"must have at most {MOST_LINE_BYTES:,} bytes of JSON, None included"
_MOST_RESULTS = f"its results must take at most {MOST_RESULTS_BYTES // 1024**2} MB of memory together"
_NOTHING = object()
_NUMBERS = (int, Decimal)
# The types of a key's values, by DynamoDB's types.
_KEY_VALUES: dict[KeyType, tuple[tuple[type, ...], str]] = {
    "S": ((str,), "text that isn't empty"),
    "N": (_NUMBERS, "a number"),
    "B": ((bytes,), "bytes that aren't empty"),
}
_MOST_UTF8 = 4  # bytes of a character
EXAMPLE_RUN = Run(
    id="20240116T020000000Z",
    start="2024-01-15T00:00:00Z",
    end="2024-01-16T00:00:00Z",
    time="2024-01-16T02:00:00Z",
    execution="example",
    segments=1,
)


class Transformation:
    """The contract, ``transform()`` and the aggregates of a transformation file.

    Attributes:
        aggregates: the aggregates.
        around_bytes: the memory that a result takes in addition to its line, with every aggregate's addition; an
            estimate that no result exceeds.

    Args:
        module: the module, or anything with its ``Contract``, ``transform`` and, if any, ``AGGREGATES``.
        schema: the keys of the tables, and the time of an item.
        whole: whether to take items of any window in a run that isn't a replay.

    Raises:
        TransformationError: one of them is missing or can't be used.
    """

    def __init__(self, module: Any, schema: Schema = SPECIFIED, *, whole: bool = False) -> None:
        self._whole = whole
        for name in ("Contract", "transform"):
            if not callable(getattr(module, name, None)):
                raise TransformationError(
                    f"transformation.py must define {name}, got {getattr(module, name, None)!r}; "
                    "see docs/transformations.md"
                )
        self._transform = module.transform
        self._checker = Checker(module.Contract)
        self.aggregates: list[Aggregate] = _aggregates(getattr(module, "AGGREGATES", []), schema)
        added_bytes = (_OBJECT_BYTES + _NUMBER_BYTES * len(each.of) for each in self.aggregates)
        self.around_bytes = _OBJECT_BYTES + sum(added_bytes)
        names = [aggregate.name for aggregate in self.aggregates]
        if len(set(names)) < len(names):
            raise TransformationError(f"AGGREGATES: each needs a name of its own, got {', '.join(names)}")
        names_shown = (*schema.destination_names, *schema.time.path)
        self._summaries = Summaries(module.Contract, self.aggregates, names_shown, code_of(module))
        self._time = rule_of(schema.time)
        self._destination = schema.destination
        # Each attribute's name, its types, and the number of characters that is short enough; 0 for a number.
        self._key = [
            (attribute.name, _KEY_VALUES[attribute.type][0], 0 if attribute.type == "N" else most // _MOST_UTF8)
            for attribute, most in zip(schema.destination, MOST_KEY_BYTES, strict=False)
        ]

    def check(self, records: list[Record], run: Run) -> list[Verdict]:
        """Check the time of each record, and then the contract.

        Args:
            records: the records.
            run: the run.

        Returns:
            For each record the reason to reject it or to leave it out, None or ``INCLUDED`` if it passes.
        """
        window = bounds_of(run)
        verdicts = self._time.check(records, window._replace(whole=True) if self._whole else window)
        passed = [place for place, verdict in enumerate(verdicts) if verdict is None or verdict == INCLUDED]
        breaches = self._checker.check([records[place] for place in passed])
        for place, breach in zip(passed, breaches, strict=True):
            if breach:
                verdicts[place] = breach
        for verdict in filter(None, verdicts):
            if isinstance(verdict, RejectedError):
                self._summaries.own(verdict)
        return verdicts

    def apply(
        self, record: Record, run: Run, readers: Sequence[Callable[[Record], Any]] = ()
    ) -> list[tuple[bytes, list[Any]]]:
        """Transform one checked record.

        Args:
            record: the record; the transformation may change it.
            run: the run.
            readers: called with each result, such as ``Accumulator.prepare``. They must not keep it: a generator may
                yield the same dict again and again, changed in between.

        Returns:
            Each result as a line of plain JSON, with the values that the readers returned.

        Raises:
            RejectedError: ``transform`` raised (``SystemExit`` too), its results can't be loaded or are too large, or
                a reader rejects one. The error's texts are bounded.
            KeyboardInterrupt: a person interrupts a preview.
            OverTimeError: the caller's time limit has passed.
        """
        outer = getcontext()
        setcontext(_ARITHMETIC.copy())
        results: list[tuple[bytes, list[Any]]] = []
        checked: Any = _NOTHING
        try:
            returned = self._transform(record, run)
            if type(returned) is dict:
                checked = returned
                return [(self._line(returned), [read(returned) for read in readers])]
            free_bytes, around = MOST_RESULTS_BYTES, self.around_bytes
            for result in _several(returned):
                checked = result
                line = self._line(result)
                free_bytes -= len(line) + around
                if free_bytes < 0:
                    raise RejectedError(_MOST_RESULTS, got=f"more after {len(results):,} of them")
                results.append((line, [read(result) for read in readers]))
                checked = _NOTHING
            return results
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
        if len(line) > _LONG_LINE_BYTES:
            if (size := least_size(result)) > MAX_ITEM_BYTES:
                raise RejectedError(_MOST_SIZE, got=f"{size:,} bytes")
            if len(line) > MOST_LINE_BYTES:
                raise RejectedError(_MOST_LINE, got=f"{len(line):,} bytes")
        for name, types, short in self._key:
            value: Any = result.get(name)
            if type(value) not in types or (short and not 0 < len(value) <= short):
                self._check_key(result)
        return line

    def _check_key(self, result: Record) -> None:
        """Check the destination's key exactly. :meth:`_line` knows only that a short value of its type is good."""
        for attribute, most in zip(self._destination, MOST_KEY_BYTES, strict=False):
            types, expected = _KEY_VALUES[attribute.type]
            name = attribute.name
            value: Any = result.get(name)
            if type(value) not in types or not (value or types is _NUMBERS):
                got = repr(to_plain(result, self._checker.floats).get(name))[:60]
                raise RejectedError(f"expected {expected}, for the destination's key", field=name, got=got)
            if types is not _NUMBERS and (size := _size(value)) > most:
                rule = f"expected at most {most:,} bytes, for the destination's key"
                raise RejectedError(rule, field=name, got=f"{size:,} bytes")

    def _sound(self, error: RejectedError, checked: Any) -> RejectedError:
        """Make a rejection safe for quarantine: transform() may have changed its class or its attributes.

        Args:
            error: the rejection.
            checked: the result that the pipeline rejects; ``_NOTHING`` if transform() itself raised the error.
        """
        try:
            rule, field, got = (str(part)[:_MOST_MESSAGE] for part in (error.rule, error.field, error.got))
        except Exception:  # a subclass that never set them
            return self._failure(error)
        sound = RejectedError(rule, field=field, got=got)
        return self._summaries.users(sound) if checked is _NOTHING else self._summaries.own(sound, checked)

    def _failure(self, error: BaseException) -> RejectedError:
        """The rejection of a record for which transform() raised an error."""
        name = type(error).__name__
        try:
            message = str(error)[:_MOST_MESSAGE]
        except BaseException:
            message = "its message can't be shown"
        rejection = RejectedError(f"transform() must not raise {name}", got=f"{name}: {message} {self.where(error)}")
        return self._summaries.failure(rejection, error)

    def where(self, error: BaseException) -> str:
        """The innermost line of your own file that led to an error: ``(transformation.py line 12)``."""
        lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
        own = getattr(getattr(self._transform, "__code__", None), "co_filename", "")
        file, line = ([each for each in lines if each[0] == own] or lines)[-1]
        return f"({file.rpartition('/')[2]} line {line})"


def preview(
    module: Any, record: Record, run: Run | None = None, *, destination_keys: str | None = None
) -> list[Record]:
    """Transform one record as a run does, checks included: for the tests of a transformation file.

    Args:
        module: the file, imported: ``import transformation``.
        record: attributes by name; it isn't changed.
        run: the run; by default one of the window 2024-01-15 to 2024-01-16, with the time and the destination's key
            that the pipeline.toml next to the file sets.
        destination_keys: the key of a destination that exists, which no setting has: ``pk:S,sk:N``.

    Raises:
        RejectedError: the record would go to quarantine.
        SettingsError: the ``pipeline.toml`` can't be used.
        TransformationError: the file can't be used.
    """
    run = run or replace(EXAMPLE_RUN, schema=_schema_beside(module))
    if destination_keys is not None:
        run = replace(run, schema=replace(run.schema, destination=parse_keys(destination_keys)))
    user = Transformation(module, run.schema)
    copied = deepcopy(record)
    (verdict,) = user.check([copied], run)
    if isinstance(verdict, RejectedError):
        raise verdict
    aggregates = [Accumulator(aggregate).prepare for aggregate in user.aggregates]
    return [result for _, (result, *_) in user.apply(copied, run, [dict, *aggregates])]


def _schema_beside(module: Any) -> Schema:
    """The schema by the ``pipeline.toml`` next to a file. The key of a table that you already have isn't in it."""
    # The functions need neither the file nor its reader.
    from etl.model.configured_schema import schema_of
    from etl.model.settings_sources import schema_settings

    file = getattr(module, "__file__", None)
    if file is None:
        return SPECIFIED
    settings = schema_settings(Path(file).parent)
    schema = schema_of(settings)
    return replace(schema, destination=()) if settings.destination_table else schema


def _several(returned: Any) -> Iterable[Any]:
    if returned is None:
        return ()
    # Anything else is refused as a record.
    several = isinstance(returned, Iterable) and not isinstance(returned, (dict, str, bytes))
    return returned if several else (returned,)


def _size(value: str | bytes) -> int:
    return len(value.encode() if isinstance(value, str) else value)


def _aggregates(given: Any, schema: Schema) -> list[Aggregate]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, Aggregate) for each in given):
        raise TransformationError("AGGREGATES must be a list of Aggregate(...); see docs/transformations.md")
    for each in given:
        each.check_loadable(schema)
    return list(given)
