"""A condition in DynamoDB's language that picks some of the source table's items, such as those of one entity type."""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import DecimalException
from typing import Any

import msgspec

from etl.model.keys import canonical

# A function's variables have at most 4 KB together. Source: AWS Lambda developer guide, "Lambda quotas".
MOST_FILTER_BYTES = 2048
# Source: DynamoDB developer guide, "Condition and filter expressions, operators, and functions".
_TOKEN = re.compile(r"[#:][A-Za-z0-9_]+|[A-Za-z_][A-Za-z0-9_]*|<=|>=|<>|[()<>=,.]|\[[0-9]+\]|\s+")
_FORM = 'write {"expression": "begins_with(sk, :prefix)", "values": {":prefix": "ORDER#"}}, and "names" for #names'


class SourceFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A filter expression with its placeholders.

    Attributes:
        expression: the condition.
        names: names of attributes by placeholder, ``#kind``.
        values: values in DynamoDB JSON by placeholder, ``:kind``.
    """

    expression: str
    names: dict[str, str] = {}
    values: dict[str, dict[str, Any]] = {}

    def __hash__(self) -> int:
        """Hash the expression: the placeholders seldom differ alone."""
        return hash(self.expression)


def parse_filter(text: str) -> SourceFilter:
    """Parse a filter: JSON with ``expression``, ``names`` and ``values``.

    A value is text, a whole number, true or false, or DynamoDB JSON such as ``{"N": "1.5"}``.

    Raises:
        ValueError: DynamoDB would refuse the filter; it may refuse others, too.
    """
    if len(text.encode(errors="replace")) > MOST_FILTER_BYTES:
        raise ValueError(f"its JSON must have at most {MOST_FILTER_BYTES:,} bytes")
    try:
        given = json.loads(text, parse_float=_no_float, parse_constant=_no_float)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg}, character {error.pos + 1}); {_FORM}") from None
    except RecursionError:
        raise ValueError(f"it has too many levels; {_FORM}") from None
    if not isinstance(given, dict) or not given.keys() <= {"expression", "names", "values"}:
        raise ValueError(_FORM)
    expression, names, values = given.get("expression"), given.get("names", {}), given.get("values", {})
    if not isinstance(expression, str) or not isinstance(names, dict) or not isinstance(values, dict):
        raise ValueError(_FORM)
    for placeholder, name in names.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"the value of {placeholder[:80]} must be the name of an attribute")
    _check_expression(expression, set(names), set(values))
    return SourceFilter(
        expression=expression,
        names=names,
        values={placeholder: _wire(placeholder, value) for placeholder, value in values.items()},
    )


def _no_float(number: str) -> None:
    raise ValueError(f'a number with a fraction must be exact: write {{"N": "{number[:40]}"}}')


def _check_expression(expression: str, names: set[str], values: set[str]) -> None:
    tokens, end = [], 0
    while found := _TOKEN.match(expression, end):
        tokens.append(found[0])
        end = found.end()
    if end < len(expression):
        raise ValueError(
            f"the expression can't have {expression[end : end + 20]!r}: give each text and each number a placeholder "
            "in values, such as :kind"
        )
    if not expression.strip():
        raise ValueError("the expression is empty")
    depth = 0
    for each in tokens:
        depth += (each == "(") - (each == ")")
        if depth < 0:
            break
    if depth:
        raise ValueError("the parentheses of the expression aren't balanced")
    used = {each for each in tokens if each[0] in "#:"}
    for sign, where, declared in (("#", "names", names), (":", "values", values)):
        wanted = {each for each in used if each[0] == sign}
        if wanted - declared:
            raise ValueError(f"the expression uses {min(wanted - declared)[:80]}, which {where} must declare")
        if declared - wanted:
            raise ValueError(f"the expression doesn't use {min(declared - wanted)[:80]}: take it out of {where}")


def _wire(placeholder: str, value: Any) -> dict[str, Any]:
    """A value in DynamoDB JSON."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (str, int)):
        value = {"S": value} if isinstance(value, str) else {"N": str(value)}
    if not _is_wire(value):
        raise ValueError(
            f"the value of {placeholder[:80]} must be text, a whole number, true, false, or DynamoDB JSON such as "
            '{"N": "1.5"}'
        )
    return dict(value)


def _is_wire(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    return kind in _CONTENTS and _CONTENTS[kind](content)


def _is_number(content: Any) -> bool:
    try:
        return isinstance(content, str) and bool(canonical(content))
    except DecimalException:
        return False


def _is_binary(content: Any) -> bool:
    try:
        return isinstance(content, str) and b64decode(content, validate=True) is not None
    except ValueError:
        return False


def _is_text(content: Any) -> bool:
    return isinstance(content, str)


def _set_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda content: isinstance(content, list) and bool(content) and all(map(check, content))


_CONTENTS: Mapping[str, Callable[[Any], bool]] = {
    "S": _is_text,
    "N": _is_number,
    "B": _is_binary,
    "BOOL": lambda content: isinstance(content, bool),
    "NULL": lambda content: content is True,
    "SS": _set_of(_is_text),
    "NS": _set_of(_is_number),
    "BS": _set_of(_is_binary),
    "L": lambda content: isinstance(content, list) and all(map(_is_wire, content)),
    "M": lambda content: isinstance(content, Mapping) and all(map(_is_wire, content.values())),
}
