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

:mod:`etl.values.plain_json` shows how plain JSON represents binary values and sets.
"""

from binascii import a2b_base64
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from etl.values.plain_json import BINARY, MAP, SET, TAGS

Value = Any  # a Python value of the table above
Record = dict[str, Any]  # values by attribute


class _Read(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An attribute value of DynamoDB JSON: the field of its kind is set.

    msgspec makes the numbers, sets and binaries while it parses. Python only removes the wrapping.
    """

    S: str | UnsetType = UNSET
    N: int | Decimal | UnsetType = UNSET
    BOOL: bool | UnsetType = UNSET
    NULL: bool | UnsetType = UNSET
    M: "dict[str, _Read] | UnsetType" = UNSET
    L: "list[_Read] | UnsetType" = UNSET
    B: bytes | UnsetType = UNSET
    SS: set[str] | UnsetType = UNSET
    NS: set[int | Decimal] | UnsetType = UNSET
    BS: set[bytes] | UnsetType = UNSET


_NOT_DYNAMODBS = "an attribute value isn't one of DynamoDB's"
# Not strict, since a number is text there. It becomes an int if it is written as one, otherwise a Decimal.
_items = msgspec.json.Decoder(list[dict[str, _Read]], strict=False)


def from_wire(document: bytes) -> list[dict[str, Value]]:
    """The items of a JSON array, each an item of DynamoDB JSON, as Python values.

    DynamoDB gives each value one kind. A second kind isn't looked for.

    Raises:
        msgspec.DecodeError: it isn't JSON.
        ValueError: an attribute value isn't one of DynamoDB's, or has hundreds of levels.
    """
    try:
        items: list[dict[str, Any]] = _items.decode(document)
        for item in items:
            _unwrap(item, item.items())
    # A set raises TypeError for a signaling NaN.
    except (msgspec.ValidationError, TypeError, RecursionError):
        # Without the error, which quotes names: the error of an invocation is logged.
        raise ValueError(_NOT_DYNAMODBS) from None
    return items


def _unwrap(container: Any, values: Iterable[tuple[Any, _Read]]) -> None:
    """Replace the values of a map or a list by Python values in place, without a copy."""
    content: Value
    for place, value in values:
        if (
            (content := value.S) is not UNSET
            or (content := value.N) is not UNSET
            or (content := value.BOOL) is not UNSET
        ):
            container[place] = content
        elif value.NULL is not UNSET:
            container[place] = None
        elif (content := value.M) is not UNSET:
            _unwrap(content, content.items())
            container[place] = content
        elif (content := value.L) is not UNSET:
            _unwrap(content, enumerate(content))
            container[place] = content
        else:
            container[place] = _rare(value)


def _rare(value: _Read) -> Value:
    for content in (value.B, value.SS, value.NS, value.BS):
        if content is not UNSET:
            return content
    raise ValueError(_NOT_DYNAMODBS)


_TYPE_NAMES = {str: "S", int: "N", Decimal: "N", bytes: "B", bool: "BOOL", type(None): "NULL", dict: "M", list: "L"}


def type_name(value: Value) -> str:
    """DynamoDB's name of a value's type; Python's name if DynamoDB has none."""
    if type(value) is set:
        return type_name(next(iter(value), "")) + "S"
    return _TYPE_NAMES.get(type(value)) or type(value).__name__


class Number(msgspec.Struct, gc=False, frozen=True):
    """A JSON number with a fraction or an exponent, as its own text.

    ``float_hook`` makes it, and it is encoded as ``{"N": text}``. So no digit ever changes.
    """

    N: str


class _Text(msgspec.Struct, gc=False):
    S: str


class _Binary(msgspec.Struct, gc=False):
    B: str


class _Truth(msgspec.Struct, gc=False):
    BOOL: bool


class _Null(msgspec.Struct, gc=False):
    NULL: bool


class _Map(msgspec.Struct, gc=False):
    M: dict[str, Value]


class _List(msgspec.Struct, gc=False):
    L: list[Value]


_TRUE, _FALSE, _NULL = _Truth(True), _Truth(False), _Null(True)


def to_wire(record: dict[str, Value]) -> dict[str, Value]:
    """A record of plain JSON as an item of DynamoDB JSON, for ``msgspec.json`` to encode.

    None is left out as an attribute and as a value of a map at any depth. In a list it stays as NULL, which keeps the
    positions.

    Args:
        record: decoded plain JSON, its fractional numbers as :class:`Number`. It becomes the item itself.

    Raises:
        ValueError: a tagged object isn't one that ``etl.values.plain_json`` writes.
    """
    try:
        _wrap(record, record.items())
    except RecursionError:
        raise ValueError("maps and lists are nested hundreds of levels deep") from None
    return record


def _wrap(container: Any, values: Iterable[tuple[Any, Value]]) -> None:  # noqa: PLR0912 - a branch for each type
    """Replace the plain values of a map or a list by attribute values in place."""
    left_out = []
    for place, value in values:
        kind = type(value)
        if kind is str:
            container[place] = _Text(value)
        elif kind is Number:
            pass
        elif kind is int:
            container[place] = Number(str(value))
        elif kind is bool:
            container[place] = _TRUE if value else _FALSE
        elif kind is dict:
            if len(value) == 1 and not TAGS.isdisjoint(value):
                container[place] = _tagged(value)
            else:
                _wrap(value, value.items())
                container[place] = _Map(value)
        elif kind is list:
            _wrap(value, enumerate(value))
            container[place] = _List(value)
        elif value is not None:
            raise ValueError(f"plain JSON has no {kind.__name__}")
        elif type(container) is list:
            container[place] = _NULL
        else:
            left_out.append(place)
    for name in left_out:
        del container[name]


def _tagged(value: dict[str, Value]) -> Any:
    ((tag, content),) = value.items()
    kind, write = _TAGGED[tag]
    if type(content) is not kind:
        raise ValueError(f"a {tag} isn't one that Transform writes")
    return write(content)


def _binary(content: str) -> _Binary:
    # DynamoDB refuses a whole request that isn't base64, and not with the code for an item.
    a2b_base64(content, strict_mode=True)
    return _Binary(content)


def _map(value: dict[str, Value]) -> _Map:
    _wrap(value, value.items())
    return _Map(value)


def _set(members: list[Value]) -> dict[str, list[str]]:
    _wrap(members, enumerate(members))
    kinds = {type(member) for member in members}
    if kinds == {_Text}:
        return {"SS": [member.S for member in members]}
    if kinds == {Number}:
        return {"NS": [member.N for member in members]}
    if kinds == {_Binary}:
        return {"BS": [member.B for member in members]}
    raise ValueError(f"a {SET} isn't one of strings, of numbers or of binaries")


_TAGGED: dict[str, tuple[type, Callable[[Any], Any]]] = {BINARY: (str, _binary), SET: (list, _set), MAP: (dict, _map)}
