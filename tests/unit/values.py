"""Attribute values of DynamoDB: strategies that make them, and what it means that two are the same."""

from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Wire = dict[str, Any]

NAMES = st.sampled_from(["a", "$set", "$map", "$binary", "S", "N", "", "名前", "a.b[0]"]) | st.text(max_size=4)


def _number(digits: int, size: int, negative: bool, plain: bool) -> str:
    """A number of these digits and of the size ``10**size``, with an exponent or without one."""
    coefficient = tuple(map(int, str(digits)))
    exponent = size - (len(coefficient) - 1) if digits else 0
    number = Decimal((int(negative), coefficient, exponent))
    return f"{number:f}" if plain and -20 < exponent < 20 else str(number)


# As DynamoDB has them: up to 38 digits, from 1E-130 to 9.99…E+125 in size, or zero.
_DIGITS = st.integers(0, 10**38 - 1) | st.integers(0, 999)
NUMBERS = st.builds(_number, _DIGITS, st.integers(-130, 125), st.booleans(), st.booleans())
TEXTS = st.text(max_size=5) | st.sampled_from(["", "\n", '"', "\\", "\u2028", "😀", "null", "1", "]", "},{"])
BINARIES = st.binary(max_size=5).map(lambda content: b64encode(content).decode())
SCALARS: st.SearchStrategy[Wire] = st.one_of(
    st.builds(lambda text: {"S": text}, TEXTS),
    st.builds(lambda text: {"N": text}, NUMBERS),
    st.builds(lambda text: {"B": text}, BINARIES),
    st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda members: {"SS": members}, st.lists(TEXTS, min_size=1, max_size=4, unique=True)),
    st.builds(lambda members: {"NS": members}, st.lists(NUMBERS, min_size=1, max_size=4, unique_by=Decimal)),
    st.builds(lambda members: {"BS": members}, st.lists(BINARIES, min_size=1, max_size=4, unique=True)),
)
VALUES: st.SearchStrategy[Wire] = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=4))
        | st.builds(lambda members: {"M": members}, st.dictionaries(NAMES, inner, max_size=4))
    ),
    max_leaves=8,
)
ITEMS: st.SearchStrategy[dict[str, Wire]] = st.dictionaries(NAMES, VALUES, max_size=5)


def comparable(value: Wire) -> Any:
    """An attribute value so that two that mean the same are equal: numbers as numbers, sets as sets."""
    ((kind, content),) = value.items()
    if kind in ("N", "B"):
        return kind, _scalar(kind, content)
    if kind in ("SS", "NS", "BS"):
        return kind, frozenset(_scalar(kind[0], member) for member in content)
    if kind == "L":
        return kind, [comparable(member) for member in content]
    if kind == "M":
        return kind, {name: comparable(member) for name, member in content.items()}
    return kind, content


def _scalar(kind: str, text: str) -> Any:
    if kind == "N":
        number = Decimal(text)
        assert len(number.as_tuple().digits) <= 38
        return number
    return b64decode(text) if kind == "B" else text


def comparable_item(item: dict[str, Wire]) -> Any:
    """A whole item, as :func:`comparable` has its values."""
    return comparable({"M": item})


def without_nulls(item: dict[str, Wire]) -> dict[str, Wire]:
    """An item as Load leaves it: no NULL as an attribute or in a map, and each NULL of a list in its place."""
    return {name: _within(value) for name, value in item.items() if "NULL" not in value}


def _within(value: Wire) -> Wire:
    if "M" in value:
        return {"M": without_nulls(value["M"])}
    if "L" in value:
        return {"L": [_within(member) for member in value["L"]]}
    return value


def nested(levels: int, kind: str = "L") -> Wire:
    """A value of that many levels of lists or maps around a scalar."""
    value: Wire = {"S": "core"}
    for _ in range(levels):
        value = {"L": [value]} if kind == "L" else {"M": {"$map": value}}
    return value
