"""Sums up a rejection in words that contain neither a value nor a name of any record.

Quarantine expires after 30 days. An execution's cause, the ledger, the log and the events are kept for longer, and they
use the summary alone. It is made once, together with the rejection. Names and texts of transformation.py itself may be
shown. All others are data, since a map may have a customer's name as a key.
"""

import re
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from etl.model.errors import class_name
from etl.model.rejection import RejectedError
from etl.user.aggregates import Aggregate
from etl.values.attribute_values import Record

_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_UNDECLARED = "an attribute that the contract doesn't name"
_USERS_REASON = "a reason of transform()'s own"


class Summaries:
    """Sums up rejections.

    Args:
        contract: the contract; its names may be shown.
        aggregates: the aggregates; the attributes that they name may be shown.
        names: further names that may be shown.
        code: the code of the transformation file; its texts may be shown.
    """

    def __init__(
        self, contract: type, aggregates: Iterable[Aggregate], names: Iterable[str], code: CodeType | None
    ) -> None:
        declared = (name for aggregate in aggregates for name in (*aggregate.by, *aggregate.of))
        self._names = frozenset((*_contract_names(contract, set()), *declared, *names))
        self._texts = frozenset(_texts(code)) if code else frozenset()

    def own(self, error: RejectedError, result: Any = None) -> RejectedError:
        """Sum up a rejection whose rule is the pipeline's own.

        Args:
            error: the rejection.
            result: the result of transform() that it concerns, if it concerns one.
        """
        error.summary = f"{self._place(error.field, result)}: {error.rule}"
        return error

    def users(self, error: RejectedError) -> RejectedError:
        """Sum up a rejection that transform() raised: its texts may contain data."""
        rule = error.rule if error.rule in self._texts else _USERS_REASON
        error.summary = f"{self._place(error.field, None)}: {rule}"
        return error

    def failure(self, error: RejectedError, raised: BaseException) -> RejectedError:
        """Sum up the rejection of a record for which transform() raised another error."""
        error.summary = f"record: transform() must not raise {class_name(raised)}"
        return error

    def _place(self, field: str, result: Any) -> str:
        """The place in the record, by names that may be shown or by position."""
        if not field:
            return "record"
        attribute = _attribute(field, result) if type(result) is dict else None
        if attribute and attribute[1] not in self._names:
            return f"attribute {attribute[0]} of the record that transform() returned"
        if field in self._names:
            return field
        shown = ""
        for step in _STEP.findall(field):
            if step not in self._names and not (shown and step.startswith("[")):
                return f"within {shown}" if shown else _UNDECLARED
            shown += "[...]" if step.startswith("[") else f".{step}" if shown else step
        return shown or _UNDECLARED


def code_of(module: Any) -> CodeType | None:
    """The code of a module; of its ``transform`` if the module isn't from a file; None if that has no code either."""
    spec = getattr(module, "__spec__", None)
    get_code = getattr(getattr(spec, "loader", None), "get_code", None)
    code = get_code(spec.name) if spec and get_code else getattr(module.transform, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _attribute(field: str, record: Record) -> tuple[int, str] | None:
    """The number and the name of the attribute at the beginning of a path. Names may contain dots and brackets."""
    found = [
        (len(name), number, name)
        for number, name in enumerate(record, 1)
        if type(name) is str and field.startswith(name) and field[len(name) : len(name) + 1] in ("", ".", "[")
    ]
    return max(found)[1:] if found else None


def _contract_names(hint: Any, seen: set[Any]) -> Iterator[str]:
    """The names of a TypedDict and of the ones within it."""
    kind = get_origin(hint) or hint
    if is_typeddict(kind) and kind not in seen:
        seen.add(kind)
        for name, inner in get_type_hints(kind).items():
            yield name
            yield from _contract_names(inner, seen)
    for inner in get_args(hint):
        yield from _contract_names(inner, seen)


def _texts(code: CodeType) -> Iterator[str]:
    """The texts of code."""
    for constant in code.co_consts:
        for each in constant if isinstance(constant, (tuple, frozenset)) else (constant,):
            if isinstance(each, CodeType):
                yield from _texts(each)
            elif isinstance(each, str):
                yield each
