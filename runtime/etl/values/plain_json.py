"""Plain JSON, which Transform writes and Load reads: exact, and readable by any tool.

Numbers are JSON numbers with every digit. JSON has no binary values and no sets, so they are tagged objects:

- ``{"$binary": "<base64>"}``
- ``{"$set": […]}`` of strings, of numbers, or of binaries, in a fixed order
- ``{"$map": {…}}`` is a map of the user that would otherwise look like one of these three
"""

from base64 import b64encode
from collections.abc import Callable, Set
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Rounded, Subnormal
from math import isfinite
from operator import itemgetter
from typing import Any

import msgspec

from etl.model.rejection import RejectedError

BINARY, SET, MAP = "$binary", "$set", "$map"
TAGS = frozenset((BINARY, SET, MAP))

# A number has up to 38 significant digits and lies between 1E-130 and 9.99…E+125 in size, or is zero.
# Source: DynamoDB Developer Guide, "Supported data types and naming rules", Number.
_TRAPS = (Inexact, InvalidOperation, Overflow, Subnormal)
_NUMBERS = Context(prec=38, Emin=-130, Emax=125, traps=[*_TRAPS])
# This one doesn't drop zeros after the 38th digit: they raise, too.
_UNROUNDED = Context(prec=38, Emin=-130, Emax=125, traps=[*_TRAPS, Rounded])
_unrounded, _is_normal = _UNROUNDED.plus, _UNROUNDED.is_normal
_SAFE_INTEGER = 10**38
# More bits than a number of DynamoDB has. The decimal digits of such an int take a time that grows with the square of
# its length: minutes for some millions of digits. str() refuses more than 4,300.
_MOST_BITS = (10**126).bit_length()

# Levels of maps and lists in one attribute. Source: DynamoDB Developer Guide, "Quotas", Nested attribute depth.
MAX_DEPTH = 32

encode: Callable[[Any], bytes] = msgspec.json.Encoder(decimal_format="number").encode
"""A JSON document as bytes, its Decimals as numbers with every digit."""


class _Tagged(msgspec.Struct, gc=False, rename=lambda name: f"${name}"):
    """A tagged object in a fifth of a dict's memory: a list may have 400,000 of them."""

    def __repr__(self) -> str:
        return repr(msgspec.to_builtins(self))


class _Binary(_Tagged):
    binary: str


class _Set(_Tagged):
    set: list[Any]


class _Map(_Tagged):
    map: dict[str, Any]


def plain_line(record: dict[str, Any], floats: Set[str] = frozenset()) -> bytes:
    """A record of Python values as a line of plain JSON; arguments and errors are those of :func:`to_plain`.

    Most values are their own plain form. This check costs a fraction of a conversion.
    """
    document = record
    try:
        for name, value in record.items():
            if type(name) is not str:
                return encode(to_plain(record, floats))
            if type(value) is not str and not _is_plain(value, 0):
                if document is record:
                    document = record.copy()
                document[name] = _plain_attribute(name, value, floats)
        return encode(document)
    except (DecimalException, UnicodeEncodeError, RejectedError):
        return encode(to_plain(record, floats))  # it finds the first fault and its place


def _is_plain(value: Any, depth: int) -> bool:
    """Whether a value is its own plain form, apart from lone surrogates; False if that isn't obvious.

    Raises:
        DecimalException: DynamoDB doesn't have this number.
    """
    kind = type(value)
    return (
        kind is str
        or kind is bool
        or value is None
        or (kind is int and -_SAFE_INTEGER < value < _SAFE_INTEGER)
        or (kind is Decimal and _is_normal(_unrounded(value)))
        or (kind is dict and depth < MAX_DEPTH and _is_plain_map(value, depth + 1))
        or (kind is list and depth < MAX_DEPTH and _is_plain_list(value, depth + 1))
    )


def _is_plain_map(value: dict[Any, Any], depth: int) -> bool:
    for name, item in value.items():
        if (type(item) is not str and not _is_plain(item, depth)) or type(name) is not str:
            return False
    return len(value) != 1 or TAGS.isdisjoint(value)


def _is_plain_list(value: list[Any], depth: int) -> bool:
    for item in value:  # noqa: SIM110 - all() over a generator takes three times as long
        if type(item) is not str and not _is_plain(item, depth):
            return False
    return True


def to_plain(record: dict[str, Any], floats: Set[str] = frozenset()) -> dict[str, Any]:
    """A record of Python values as a document for :func:`encode`.

    Args:
        record: attributes by name; values as :mod:`etl.values.attribute_values` lists them.
        floats: names of the attributes in which a float is allowed, because the contract declares it.

    Raises:
        RejectedError: DynamoDB doesn't have a value's type, or a number's size.
    """
    return {_plain_name(name, ""): _plain_attribute(name, value, floats) for name, value in record.items()}


def _plain_attribute(name: str, value: Any, floats: Set[str]) -> Any:
    return _plain_float(value, name) if type(value) is float and name in floats else _plain(value, name, 0)


def _plain(value: Any, path: str, depth: int) -> Any:
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise RejectedError(_ALLOWED, field=path, got=described(value))
    return writer(value, path, depth)


def _plain_text(value: str, path: str, _: int) -> str:
    # A lone surrogate is a str to Python, and has no UTF-8: neither JSON nor DynamoDB can hold it.
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise RejectedError(_ALLOWED_TEXT, field=path, got="text with a lone surrogate") from None
    return value


def _plain_integer(value: int, path: str, _: int) -> int:
    if not -_SAFE_INTEGER < value < _SAFE_INTEGER:
        if value.bit_length() > _MOST_BITS:
            raise RejectedError(_ALLOWED_NUMBER, field=path, got=described(value))
        _plain_decimal(Decimal(value), path, 0)
    return value


def _plain_decimal(value: Decimal, path: str, _: int) -> Decimal:
    try:
        number = _NUMBERS.create_decimal(value)  # drops zeros after the 38th digit, and nothing else
    except DecimalException:
        number = None
    if number is None or not number.is_finite():
        raise RejectedError(_ALLOWED_NUMBER, field=path, got=described(value))
    return number or Decimal(0)  # zero has several spellings


def _plain_float(value: float, path: str) -> float:
    # JSON gets the shortest text that reads back as this float. It must be a number of DynamoDB.
    if not isfinite(value):
        raise RejectedError("expected a finite number", field=path, got=value)
    _plain_decimal(Decimal(repr(value)), path, 0)
    return value


def _plain_binary(value: bytes, _path: str, _depth: int) -> _Binary:
    return _Binary(b64encode(value).decode())


def _plain_map(value: dict[str, Any], path: str, depth: int) -> dict[str, Any] | _Map:
    if depth >= MAX_DEPTH:
        raise RejectedError(_ALLOWED_DEPTH, field=path, got="more")
    plain = {_plain_name(name, path): _plain(item, f"{path}.{name}", depth + 1) for name, item in value.items()}
    return _Map(plain) if len(plain) == 1 and not TAGS.isdisjoint(plain) else plain


def _plain_name(name: Any, path: str) -> str:
    if type(name) is not str:
        raise RejectedError("expected names that are text", field=path, got=described(name))
    return _plain_text(name, path, 0)


def _plain_list(value: list[Any], path: str, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise RejectedError(_ALLOWED_DEPTH, field=path, got="more")
    return [_plain(item, f"{path}[{position}]", depth + 1) for position, item in enumerate(value)]


def _plain_set(value: Set[Any], path: str, _: int) -> _Set:
    kinds = {_SET_KINDS.get(type(member)) for member in value}
    if len(kinds) != 1 or None in kinds:
        raise RejectedError(_ALLOWED_SET, field=path, got=described(value))
    # Members are checked first, since NaN has no order. The order is fixed, so that a retry stages the same bytes.
    members = [(member, _plain(member, path, 0)) for member in value]
    return _Set([plain for _, plain in sorted(members, key=itemgetter(0))])


def described(value: Any) -> str:
    """Describe a value: its type and, for a simple one, its Python text, cut to 60 characters."""
    kind = type(value).__name__
    if type(value) not in _SHOWN:
        return kind
    if type(value) is int and value.bit_length() > _MOST_BITS:
        return f"int of {value.bit_length():,} bits"
    text = str(value) if type(value) is Decimal else repr(value)
    return f"{kind} {text if len(text) <= 60 else text[:57] + '...'}"


_ALLOWED = "expected str, int, Decimal, bool, None, bytes, dict, list or set (a float where the contract declares one)"
_ALLOWED_NUMBER = "expected a number of at most 38 digits between 1E-130 and 9.9E+125"
_ALLOWED_TEXT = "expected text that UTF-8 can write"
_ALLOWED_SET = "expected a set of strings, of numbers or of binaries, not empty"
_ALLOWED_DEPTH = f"expected at most {MAX_DEPTH} levels of maps and lists"
_SHOWN = frozenset((str, bytes, int, float, Decimal))
_SET_KINDS = {str: "S", int: "N", Decimal: "N", bytes: "B"}
_WRITERS: dict[type, Callable[[Any, str, int], Any]] = {
    str: _plain_text,
    int: _plain_integer,
    Decimal: _plain_decimal,
    bool: lambda value, _path, _depth: value,
    type(None): lambda value, _path, _depth: value,
    bytes: _plain_binary,
    dict: _plain_map,
    list: _plain_list,
    set: _plain_set,
    frozenset: _plain_set,
}
