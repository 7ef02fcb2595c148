"""The user's transformation, loaded and guarded: whatever it does to a record, the run goes on."""

import traceback
from collections.abc import Iterable
from decimal import Context, localcontext
from typing import TYPE_CHECKING, Any

from etl.contract import Checker, Record
from etl.errors import RejectedError, TransformationError
from etl.plain_json import to_plain
from etl.run import Run

if TYPE_CHECKING:
    from etl.aggregates import Aggregate

# The destination's key. Source: the specification of the table etl-destination-data.
KEY_ATTRIBUTES = ("id", "timestamp")
# A number of DynamoDB has at most 38 digits, so transform() computes with as many.
_ARITHMETIC = Context(prec=38)


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
        self.aggregates: list[Aggregate] = list(getattr(module, "AGGREGATES", ()))
        names = [aggregate.name for aggregate in self.aggregates]
        if len(set(names)) < len(names):
            raise TransformationError(f"AGGREGATES: each needs a name of its own, got {', '.join(names)}")

    def apply(self, record: Record, run: Run) -> list[tuple[Record, dict[str, Any]]]:
        """Check and transform one record; returns each result, and the same as a document of plain JSON.

        Raises:
            RejectedError: the record breaks the contract, ``transform`` raised, or what it returned can't be loaded.
        """
        self._checker.check(record)
        try:
            with localcontext(_ARITHMETIC):
                results = _several(self._transform(record, run))
        except RejectedError:
            raise
        except Exception as error:
            raise _failure(error) from error
        return [(result, self._loadable(result)) for result in results]

    def _loadable(self, result: Any) -> dict[str, Any]:
        if type(result) is not dict:
            raise RejectedError("", "transform() to return a dict, a list of dicts or None", type(result).__name__)
        plain = to_plain(result, self._checker.floats)
        for name in KEY_ATTRIBUTES:
            if not (isinstance(plain.get(name), str) and plain[name]):
                raise RejectedError(name, "text that isn't empty, as the destination's key", repr(plain.get(name))[:60])
        return plain


def _several(result: Record | Iterable[Record] | None) -> list[Any]:
    if result is None:
        return []
    if isinstance(result, (dict, str, bytes)):
        return [result]
    return list(result)


def _failure(error: Exception) -> RejectedError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename.rpartition('/')[2]} line {frame.lineno}"
    return RejectedError("", "transform() to return", f"{type(error).__name__}: {error} ({where})")
