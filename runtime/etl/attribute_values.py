"""DynamoDB JSON and Python, exact in both directions. The only module that knows ``{"N": "100"}``.

=========  =========================  ======================================================
DynamoDB   Python, in transform()     from plain JSON, in Load
=========  =========================  ======================================================
S          str                        str
N          int, or Decimal            int, or :class:`Number` with the number's own text
B          bytes                      ``{"$binary": …}``
BOOL       bool                       bool
NULL       None                       None
M          dict                       dict
L          list                       list
SS NS BS   set of str, numbers, bytes ``{"$set": […]}``
=========  =========================  ======================================================

Plain JSON lacks binary values and sets; how they are written there is in :mod:`etl.plain_json`.
"""

from binascii import a2b_base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from etl.plain_json import BINARY, MAP, SET

Value = Any  # a Python value of the table above
Wire = dict[str, Any]  # an attribute value of DynamoDB JSON, such as {"S": "text"}


def parse_number(text: str) -> int | Decimal:
    """The number that ``text`` writes, with every digit: an int where it is written as one."""
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def from_wire(item: dict[str, Wire]) -> dict[str, Value]:
    """An item of DynamoDB JSON as Python values.

    Raises:
        ValueError: an attribute value isn't one of DynamoDB's.
    """
    return {name: _from_wire(value) for name, value in item.items()}


def _from_wire(value: Wire) -> Value:
    try:
        ((kind, content),) = value.items()
        return _READERS[kind](content)
    except (KeyError, TypeError, AttributeError, ArithmeticError, ValueError):
        # Neither the value nor the error that quotes it: what fails an invocation is logged.
        raise ValueError("an attribute value isn't one of DynamoDB's") from None


def _read_null(_: Any) -> None:
    return None


_READERS: dict[str, Callable[[Any], Value]] = {
    "S": str,
    "N": parse_number,
    "B": a2b_base64,
    "BOOL": bool,
    "NULL": _read_null,
    "M": from_wire,
    "L": lambda values: [_from_wire(value) for value in values],
    "SS": set,
    "NS": lambda texts: {parse_number(text) for text in texts},
    "BS": lambda texts: {a2b_base64(text) for text in texts},
}


class Number(msgspec.Struct, gc=False, frozen=True):
    """A JSON number with a fraction or an exponent, as the text it is written in.

    Made for ``float_hook``: it becomes ``{"N": text}`` when it is encoded, so no digit is ever touched.
    """

    N: str


def to_wire(record: dict[str, Value]) -> dict[str, Wire | Number]:
    """A record of plain JSON as an item of DynamoDB JSON.

    None is left out, as an attribute and as a value of a map at any depth; in a list it stays, as NULL,
    so that positions hold.

    Args:
        record: decoded plain JSON, its fractional numbers as :class:`Number`.

    Raises:
        ValueError: a tagged object isn't one that ``etl.plain_json`` writes.
    """
    return {name: _to_wire(value) for name, value in record.items() if value is not None}


def _to_wire(value: Value) -> Wire | Number:
    return _WRITERS[type(value)](value)


def _write_map(value: dict[str, Value]) -> Wire:
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag in _TAGGED:
            kind, write = _TAGGED[tag]
            if type(content) is not kind:
                raise ValueError(f"a {tag} isn't one that Transform writes")
            return write(content)
    return {"M": to_wire(value)}


def _write_set(members: list[Value]) -> Wire:
    kinds: dict[str, list[str]] = {}
    for member in members:
        ((kind, content),) = msgspec.to_builtins(_to_wire(member)).items()
        kinds.setdefault(kind, []).append(content)
    if len(kinds) != 1 or not kinds.keys() <= {"S", "N", "B"}:
        raise ValueError(f"a {SET} isn't one of strings, of numbers or of binaries")
    ((kind, contents),) = kinds.items()
    return {kind + "S": contents}


_TAGGED: dict[str, tuple[type, Callable[[Any], Wire]]] = {
    BINARY: (str, lambda text: {"B": text}),
    SET: (list, _write_set),
    MAP: (dict, lambda value: {"M": to_wire(value)}),
}

_WRITERS: dict[type, Callable[[Any], Wire | Number]] = {
    str: lambda value: {"S": value},
    int: lambda value: {"N": str(value)},
    Number: lambda value: value,
    bool: lambda value: {"BOOL": value},
    type(None): lambda _: {"NULL": True},
    dict: _write_map,
    list: lambda values: {"L": [_to_wire(value) for value in values]},
}
