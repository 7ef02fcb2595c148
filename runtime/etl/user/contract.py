"""The contract: the attributes that a record must have, and their types.

A contract is a ``TypedDict``. :class:`Checker` checks records by it. Attributes that it doesn't name pass unchecked.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError
from etl.values.attribute_values import Record
from etl.values.plain_json import described

Number = int | Decimal
"""A number, exact: an int if it is written as one, otherwise a Decimal."""

Text = Annotated[str, msgspec.Meta(min_length=1)]
"""Text that isn't empty."""

_COLLECTIONS = {dict: dict, list: list, set: set, frozenset: set}
_WORDS = {
    "int": "a whole number",
    "decimal": "a number with a fraction (Number takes both)",
    "int | decimal": "a number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "bytes": "binary",
    "null": "null",
    "array": "a list or a set",
    "object": "a map",
}
_EXPECTED = re.compile(r"Expected `(?P<expected>[^`]*)`(?P<more>.*?)(?:, got `(?P<got>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\[(?P<position>\d+)\]|(?P<name>[^.\[\]]+)")
_AT = re.compile(r" - at (?P<name>`key` in )?`\$\.?(?P<path>[^`]*)`$")


class Checker:
    """Checks records by a contract.

    Args:
        contract: a ``TypedDict`` of types that msgspec supports: ``str``, ``int``, ``Decimal``, ``float``, ``bool``,
            ``bytes``, ``None``, lists, sets, dicts, nested TypedDicts, unions and ``Annotated`` constraints.

    Raises:
        TransformationError: the contract isn't such a class.
    """

    def __init__(self, contract: type) -> None:
        if not is_typeddict(contract):
            raise TransformationError(f"the contract must be a class derived from TypedDict, got {contract!r}")
        try:
            hints = get_type_hints(contract)
            msgspec.convert({}, contract, builtin_types=(Decimal, bytes))
        except msgspec.ValidationError:
            pass  # an empty record breaks most contracts: this only tries the contract
        except (NameError, TypeError) as error:
            raise TransformationError(f"{contract.__name__} has a type that can't be checked: {error}") from error
        self._contract = contract
        self._contracts: Any = list[contract]  # type: ignore[valid-type]
        self.floats = frozenset(name for name, hint in hints.items() if _plain_type(hint) is float)
        self._decimals = [name for name, hint in hints.items() if _plain_type(hint) is Decimal]
        kinds = {name: _COLLECTIONS.get(_plain_type(hint)) for name, hint in hints.items()}
        self._collections = [(name, kind) for name, kind in kinds.items() if kind]
        # convert() of msgspec 0.22 finds a name beyond ASCII only in a text object that keeps its UTF-8.
        self._foreign_names = _foreign_names(contract, set())

    def check(self, records: list[Record]) -> list[RejectedError | None]:
        """Check records. An attribute that the contract declares as a float or a Decimal becomes one.

        Returns:
            For each record the reason to reject it, None if it fulfils the contract.
        """
        for name in self._decimals:
            for record in records:
                if type(record.get(name)) is int:
                    record[name] = Decimal(record[name])
        try:
            checked = msgspec.convert(self._shown(records), self._contracts, builtin_types=(Decimal, bytes))
        # One by one, to find the records and the reasons.
        except (ValueError, TypeError, RecursionError):
            return [self._breach(record) for record in records]
        return [self._settle(record, each) for record, each in zip(records, checked, strict=True)]

    def _shown(self, value: Any) -> Any:
        """Records as msgspec finds all of their names."""
        return _with_names(value, self._foreign_names) if self._foreign_names else value

    def _breach(self, record: Record) -> RejectedError | None:
        try:
            checked: Record = msgspec.convert(self._shown(record), self._contract, builtin_types=(Decimal, bytes))
            return self._settle(record, checked)
        except msgspec.ValidationError as error:
            return _rejected(str(error), record)
        except (ValueError, TypeError, RecursionError) as error:
            # Python itself refuses a list of maps for a set of anything, and a signaling NaN for a float.
            return self._settle(record, {}) or RejectedError("expected values that the contract allows", got=error)

    def _settle(self, record: Record, checked: Record) -> RejectedError | None:
        """Finish the check of a record that msgspec has accepted."""
        for name, kind in self._collections:
            # msgspec accepts a list for a set and the other way round. DynamoDB distinguishes them.
            if name in record and not isinstance(record[name], kind):
                return RejectedError(f"expected a {kind.__name__}", field=name, got=f"a {type(record[name]).__name__}")
        for name in self.floats:
            if name in checked:
                record[name] = checked[name]
        return None


def _foreign_names(hint: Any, seen: set[Any]) -> dict[str, str]:
    """The names of a contract beyond ASCII, at any depth: the text objects that msgspec has seen."""
    parts: list[Any] = list(get_args(hint))
    found: dict[str, str] = {}
    if is_typeddict(hint) and hint not in seen:
        seen.add(hint)
        hints = get_type_hints(hint)
        found = {name: name for name in hints if not name.isascii()}
        parts = list(hints.values())
    for part in parts:
        found |= _foreign_names(part, seen)
    return found


def _with_names(value: Any, names: Mapping[str, str]) -> Any:
    """A value whose maps have the text objects of a contract for its names."""
    if type(value) is dict:
        return {names.get(name, name): _with_names(each, names) for name, each in value.items()}
    return [_with_names(each, names) for each in value] if type(value) is list else value


def _plain_type(hint: Any) -> Any:
    """The class behind a hint: ``set`` for ``Annotated[set[str], …]``."""
    return get_origin(hint) or hint


def _rejected(message: str, record: Record) -> RejectedError:
    """The rejection for a message of msgspec."""
    at = _AT.search(message)
    path = at["path"] if at else ""
    message = _AT.sub("", message)
    if missing := _MISSING.fullmatch(message):
        return RejectedError("is missing", field=f"{path}.{missing['name']}".lstrip("."))
    match = _EXPECTED.fullmatch(message)
    kind = _WORDS.get(match["expected"], match["expected"]) + match["more"] if match else ""
    if at and at["name"]:  # the name of an attribute of a map, which msgspec doesn't name
        return RejectedError(f"expected names that are {kind or 'allowed by the contract'}", field=path)
    if not match:
        return RejectedError("expected a value that the contract allows", field=path, got=message)
    got = _WORDS.get(match["got"], match["got"]) or _found(record, path)
    return RejectedError(f"expected {kind}", field=path, got=got)


def _found(record: Record, path: str) -> str:
    """Describe the value at a path of msgspec."""
    value: Any = record
    if "[...]" in path:  # a value of a map, that msgspec doesn't name
        return "another value"
    try:
        for step in _STEP.finditer(path):
            value = value[step["name"] or int(step["position"])]
    except (KeyError, IndexError, TypeError):  # a name with a dot, a member of a set
        return "another value"
    return described(value)
