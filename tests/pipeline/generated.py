"""Items of every shape that DynamoDB takes, generated the same way each time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.etl_pipeline.values import Item

Attributes = dict[str, dict[str, Any]]
OWN = ("id", "name", "value", "timestamp", "date", "size", "as_of")

# Unicode but lone surrogates, which have no UTF-8.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
names = texts.filter(bool)


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """Numbers of up to 38 significant digits between 1E-130 and 9.9…E+125, as text."""
    digits = draw(st.integers(0, 10**38 - 1))
    if digits == 0:
        return "0"
    exponent = draw(st.integers(-130, 125))
    sign = draw(st.sampled_from(("", "-")))
    text = str(digits)
    mantissa = f"{text[0]}.{text[1:].rstrip('0') or '0'}"
    return draw(st.sampled_from((f"{sign}{digits}", f"{sign}{mantissa}E{exponent}", f"{sign}0.{digits:038d}")))


def _sets(kind: str, members: st.SearchStrategy[Any], *, unique_by: Any = None) -> st.SearchStrategy[dict[str, Any]]:
    lists = st.lists(members, min_size=1, max_size=5, unique_by=unique_by or (lambda member: member))
    return lists.map(lambda values: {kind: values})


scalars = st.one_of(
    st.builds(lambda value: {"S": value}, texts),
    st.builds(lambda value: {"N": value}, numbers()),
    st.builds(lambda value: {"B": value}, st.binary(max_size=30)),
    st.builds(lambda value: {"BOOL": value}, st.booleans()),
    st.just({"NULL": True}),
    _sets("SS", texts),
    _sets("NS", numbers(), unique_by=Decimal),
    _sets("BS", st.binary(max_size=20)),
)
# Names that plain JSON uses as tags, as a user's own.
tags = st.sampled_from(("$binary", "$set", "$map"))
values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda members: {"L": members}),
        st.dictionaries(names, inner, max_size=4).map(lambda members: {"M": members}),
        st.dictionaries(tags, inner, min_size=1, max_size=2).map(lambda members: {"M": members}),
    ),
    max_leaves=12,
)
attributes: st.SearchStrategy[Attributes] = st.dictionaries(
    st.one_of(names, tags).filter(lambda name: name not in OWN), values, max_size=6
)


def generate(count: int) -> list[tuple[Attributes, str]]:
    """Generate attributes and a number >= 0 for `count` items: the same in every session."""
    found: list[tuple[Attributes, str]] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(attributes, numbers().map(lambda text: text.removeprefix("-")))
    def collect(generated: Attributes, value: str) -> None:
        found.append((generated, value))

    collect()
    return found


def deep(levels: int) -> dict[str, Any]:
    """Maps and lists in turn, so many levels deep."""
    value: dict[str, Any] = {"N": "1"}
    for level in range(levels):
        value = {"L": [value]} if level % 2 else {"M": {"deeper": value}}
    return value


def types_of(item: Item) -> set[str]:
    """The types that an item has, at any depth."""

    def kinds(value: dict[str, Any]) -> set[str]:
        ((kind, content),) = value.items()
        inner = content.values() if kind == "M" else content if kind == "L" else ()
        return {kind}.union(*(kinds(each) for each in inner))

    return set().union(*(kinds(value) for value in item.values()))
