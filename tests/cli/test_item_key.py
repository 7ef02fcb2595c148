"""Keys on the command line: how they are typed, and how a wrong one is explained."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.keys import KeyAttribute, KeyAttributes, KeyType
from etl_cli.items.item_key import ItemKey, key_of_item, key_of_record, parse_key, parse_key_option, typed_key
from etl_cli.terminal.errors import UserError

ID = (KeyAttribute("id"),)
NUMBER = (KeyAttribute("n", "N"),)
BINARY = (KeyAttribute("b", "B"),)
PAIR = (KeyAttribute("pk"), KeyAttribute("sk", "N"))
HOSTILE = (KeyAttribute("a=b"), KeyAttribute("a"))

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
numbers = st.integers(-(10**37), 10**37).map(str)
binaries = st.sampled_from(["AA==", "AAE=", "////"])
VALUES: dict[KeyType, st.SearchStrategy[str]] = {"S": texts, "N": numbers, "B": binaries}


def values(key: KeyAttributes, *words: str) -> tuple[str, ...]:
    return parse_key(key, words, "orders").values


@pytest.mark.parametrize(
    ("key", "words", "expected"),
    [
        (ID, ["order-1"], ("order-1",)),
        (ID, ["id=order-1"], ("id=order-1",)),  # a key with one attribute is taken as it is
        (ID, ["-1"], ("-1",)),
        (ID, [" two words "], (" two words ",)),
        (NUMBER, ["1.0"], ("1",)),
        (NUMBER, ["1E0"], ("1",)),
        (NUMBER, ["-0"], ("0",)),
        (NUMBER, ["+.5"], ("0.5",)),
        (NUMBER, ["1e125"], ("1E+125",)),
        (BINARY, ["AAE="], ("AAE=",)),
        (BINARY, ["AB=="], ("AA==",)),  # another spelling of the same byte
        (PAIR, ["customer-1", "7.0"], ("customer-1", "7")),
        (PAIR, ["pk=customer-1", "sk=7"], ("customer-1", "7")),
        (PAIR, ["sk=7", "pk=customer-1"], ("customer-1", "7")),
        (PAIR, ["pk=a=b=", "sk=7"], ("a=b=", "7")),
        (PAIR, ["a=b", "7"], ("a=b", "7")),
        (HOSTILE, ["a=b=x", "a=y"], ("x", "y")),
        (HOSTILE, ["a=y", "a=b=x"], ("x", "y")),
    ],
)
def test_a_key_is_typed(key: KeyAttributes, words: list[str], expected: tuple[str, ...]) -> None:
    assert values(key, *words) == expected


@pytest.mark.parametrize(
    ("key", "words", "says"),
    [
        (ID, [""], "must not be empty"),
        (ID, ["a", "b"], "has 1 value, got 2"),
        (ID, ["ä" * 1025], "may have 2,048 bytes and has 2,050"),
        (ID, ["\udc80"], "UTF-8"),
        (PAIR, ["a"], "has 2 values, got 1"),
        (PAIR, ["pk=a", "pk=b"], "sk (N) of orders is a number"),
        (PAIR, ["pk=a", "7", "8"], "has 2 values, got 3"),
        (PAIR, ["pk=a", "sk=seven"], "got 'seven'"),
        (NUMBER, ["NaN"], "got 'NaN'"),
        (NUMBER, ["1_0"], "got '1_0'"),
        (NUMBER, ["\u0661"], "is a number"),
        (NUMBER, ["1" * 39], "38 digits"),
        (NUMBER, ["1e126"], "between 1e-130 and 1e126"),
        (NUMBER, ["1e-131"], "between 1e-130 and 1e126"),
        (NUMBER, [""], "is a number"),
        (BINARY, ["A"], "typed as base64"),
        (BINARY, ["AA=="[:3]], "typed as base64"),
        (BINARY, ["*AAE="], "typed as base64"),
        (BINARY, [""], "must not be empty"),
        ((KeyAttribute("pk"), KeyAttribute("sk")), ["a", "b" * 1025], "may have 1,024 bytes and has 1,025"),
    ],
)
def test_a_wrong_key_is_explained(key: KeyAttributes, words: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        values(key, *words)

    assert says in caught.value.message
    assert f"Type {typed_key(key)}" in caught.value.remedy
    assert "orders" in caught.value.remedy


def test_the_form_of_a_key_has_an_example_of_each_type() -> None:
    assert typed_key(PAIR) == "pk=TEXT sk=42"
    assert typed_key(BINARY) == "AAEC"


@given(key=st.sampled_from([ID, NUMBER, BINARY, PAIR, HOSTILE]), data=st.data())
def test_the_words_for_a_key_are_read_as_that_key(key: KeyAttributes, data: st.DataObject) -> None:
    found = parse_key(key, [data.draw(VALUES[each.type]) for each in key], "orders")
    # Words that look like names are typed with them.
    found = ItemKey(key, found.values)

    assert parse_key(key, found.words, "orders") == found
    assert parse_key(key, shlex.split(shlex.join(found.words)), "orders") == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer-1 7", ("customer-1", "7")),
        ("pk=customer-1 sk=7", ("customer-1", "7")),
        ("sk=7 pk=two words", ("two words", "7")),
        ("pk=two words sk=7", ("two words", "7")),
    ],
)
def test_a_key_is_typed_in_one_option(text: str, expected: tuple[str, ...]) -> None:
    assert parse_key_option(PAIR, text, "orders").values == expected


def test_an_option_has_a_whole_id() -> None:
    assert parse_key_option(ID, "two words", "orders").values == ("two words",)
    with pytest.raises(UserError, match="got 3"):
        parse_key_option(PAIR, "pk two words", "orders")


def test_a_key_for_programs_has_typed_values() -> None:
    key = ItemKey((KeyAttribute("pk"), KeyAttribute("sk", "N")), ("a", "7"))

    assert key.document() == {"pk": "a", "sk": {"N": "7"}}
    assert key.wire == {"pk": {"S": "a"}, "sk": {"N": "7"}}
    assert ItemKey(BINARY, ("AAE=",)).request == {"b": {"B": b"\x00\x01"}}
    assert (key.text, ItemKey(ID, ("a",)).text, ItemKey(PAIR).text) == ("pk=a sk=7", "a", "")
    assert ItemKey(PAIR).document() == {}


def test_a_dash_at_the_beginning_comes_behind_two() -> None:
    assert ItemKey(ID, ("-1",)).options == ["--", "-1"]
    assert ItemKey(PAIR, ("-1", "2")).options == ["pk=-1", "sk=2"]


def test_an_item_without_a_key_has_none() -> None:
    assert not key_of_item(b'{"id":{"N":"1"}}')
    assert not key_of_record(b'{"id":"a"}')
