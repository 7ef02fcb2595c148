import json
from datetime import UTC, datetime
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.rejection import RejectedError
from etl.values.plain_json import MAX_DEPTH, described, encode, plain_line, to_plain
from tests.unit.values import NUMBERS

WIDE = Context(prec=10_000)
DIGITS = "12345678901234567890123456789012345678"
ALLOWED = "expected str, int, Decimal, bool, None, bytes, dict, list or set (a float where the contract declares one)"


def staged(value: Any, **more: Any) -> str:
    """How an attribute of this value is staged."""
    line = plain_line({"a": value}, **more)
    assert line == encode(to_plain({"a": value}, **more))  # also where the shortcut of plain_line is taken
    return line.decode()


def rejection(value: Any) -> RejectedError:
    with pytest.raises(RejectedError) as strict:
        to_plain({"a": value})
    with pytest.raises(RejectedError) as rejected:
        plain_line({"a": value})
    assert str(rejected.value) == str(strict.value)
    return rejected.value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", '"x"'),
        ("名", '"名"'),
        (100, "100"),
        (int(DIGITS), DIGITS),
        (10**125, "1" + "0" * 125),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E-130"), "1E-130"),
        (Decimal(f"0.{DIGITS}"), f"0.{DIGITS}"),
        (Decimal("9." + "9" * 37 + "E+125"), "9." + "9" * 37 + "E+125"),
        (True, "true"),
        (None, "null"),
        (b"hi", '{"$binary":"aGk="}'),
        ({}, "{}"),
        ([], "[]"),
        ([1, None, "x"], '[1,null,"x"]'),
        ({"b", "a"}, '{"$set":["a","b"]}'),
        (frozenset({2, Decimal("1.5"), -3}), '{"$set":[-3,1.5,2]}'),
        ({b"hi"}, '{"$set":[{"$binary":"aGk="}]}'),
        ({"b": {"c": 1}}, '{"b":{"c":1}}'),
        ({"$set": ["x"]}, '{"$map":{"$set":["x"]}}'),
        ({"$map": {"$binary": "x"}}, '{"$map":{"$map":{"$map":{"$binary":"x"}}}}'),
        ({"$set": 1, "b": 2}, '{"$set":1,"b":2}'),
    ],
)
def test_a_value_is_staged_as_json(value: Any, text: str) -> None:
    assert staged(value) == f'{{"a":{text}}}'


def test_a_record_whose_only_attribute_is_named_as_a_tag_is_no_tag() -> None:
    assert plain_line({"$set": [1]}) == encode(to_plain({"$set": [1]})) == b'{"$set":[1]}'


@pytest.mark.parametrize("text", ["0", "-0", "0.00", "0E+500", "0E-500"])
def test_zero_is_staged_as_zero_however_it_was_written(text: str) -> None:
    assert staged(Decimal(text)) == '{"a":0}'


def test_zeros_at_the_end_beyond_38_digits_are_dropped() -> None:
    assert staged(Decimal("1.5" + "0" * 60)) == '{"a":1.5' + "0" * 36 + "}"


@pytest.mark.parametrize(
    "value",
    [
        Decimal("NaN"),
        Decimal("-sNaN"),
        Decimal("Infinity"),
        Decimal("1E+126"),
        Decimal("1E-131"),
        Decimal(DIGITS + "9"),
        Decimal(f"0.1{DIGITS}"),
        10**126,
        10**38 + 1,
        -(10**40) - 1,
        pytest.param(10**5000, id="of 5001 digits"),
        {Decimal("NaN"), 1, 2},
    ],
)
def test_a_number_that_dynamodb_does_not_have_is_rejected(value: Any) -> None:
    assert rejection(value).rule == "expected a number of at most 38 digits between 1E-130 and 9.9E+125"


@pytest.mark.parametrize(
    "value",
    [1.5, (1, 2), datetime(2024, 1, 15, tzinfo=UTC), Fraction(1, 3), object(), bytearray(b"x"), 1j, range(3)],
)
def test_a_type_that_dynamodb_does_not_have_is_rejected_with_those_it_has(value: Any) -> None:
    assert rejection(value).rule == ALLOWED


@pytest.mark.parametrize("value", [set(), {1, "a"}, {True}, {1, b"x"}, {(1, 2)}, {None}])
def test_a_set_is_of_one_kind_and_not_empty(value: Any) -> None:
    assert rejection(value).rule == "expected a set of strings, of numbers or of binaries, not empty"


@pytest.mark.parametrize("value", ["\ud800", ["\ud800"], {"\ud800"}, {"\ud800": 1}])
def test_text_that_utf8_cannot_write_is_rejected(value: Any) -> None:
    assert rejection(value).rule == "expected text that UTF-8 can write"


def test_a_name_that_is_no_text_is_rejected_before_its_value_is_looked_at() -> None:
    with pytest.raises(RejectedError, match="names that are text, got int 5") as rejected:
        plain_line({5: object()})  # type: ignore[dict-item]

    assert rejected.value.field == ""


def test_a_name_in_a_map_that_is_no_text_is_rejected() -> None:
    assert str(rejection({"b": {1.5: "x"}})) == "a.b: expected names that are text, got float 1.5"


def test_the_path_leads_to_the_value() -> None:
    assert rejection([{"b": [0, 1.5]}]).field == "a[0].b[1]"


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"b": value}])
def test_maps_and_lists_nest_as_deep_as_dynamodb_allows(wrap: Any) -> None:
    value: Any = "core"
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    staged(value)

    assert rejection(wrap(value)).rule == "expected at most 32 levels of maps and lists"


def test_a_float_is_staged_where_the_contract_declares_one() -> None:
    assert staged(0.1, floats=frozenset("a")) == '{"a":0.1}'


def test_a_float_within_a_list_is_none_that_a_contract_declares() -> None:
    with pytest.raises(RejectedError, match=r"a\[0\]: expected str, int"):
        staged([0.1], floats=frozenset("a"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(float("nan"), "a finite number"), (float("inf"), "a finite number"), (1e200, "a number of at most 38 digits")],
)
def test_a_float_that_is_no_number_of_dynamodb_is_rejected(value: float, expected: str) -> None:
    with pytest.raises(RejectedError, match=expected):
        staged(value, floats=frozenset("a"))


@given(st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: value == 0 or 1e-130 < abs(value) < 1e126))
def test_a_declared_float_is_staged_as_the_text_that_gives_it_back(value: float) -> None:
    assert json.loads(staged(value, floats=frozenset("a")))["a"] == value


@pytest.mark.parametrize(
    "record",
    [
        {"a": "\ud800", "b": object()},
        {"a": object(), "b": "\ud800"},
        {"a": Decimal("NaN"), "b": 1.5},
        {"a": 1.5, "b": Decimal("NaN")},
        {"\ud800": 1.5, "b": {"c"}},
        {"a": {"c"}, "\ud800": 1},
        {"a": {"c"}, 5: 1},
    ],
)
def test_what_is_wrong_first_is_the_reason(record: dict[Any, Any]) -> None:
    with pytest.raises(RejectedError) as strict:
        to_plain(record)
    with pytest.raises(RejectedError) as rejected:
        plain_line(record)

    assert str(rejected.value) == str(strict.value)


def test_a_record_is_left_as_it_is() -> None:
    tags, zero = {"b", "a"}, Decimal("0.00")
    record = {"tags": tags, "zero": zero, "inner": {"tags": tags}, "name": "x"}

    assert plain_line(record) == (
        b'{"tags":{"$set":["a","b"]},"zero":0,"inner":{"tags":{"$set":["a","b"]}},"name":"x"}'
    )
    assert (record["tags"], record["zero"], record["inner"]) == (tags, zero, {"tags": tags})
    assert record["tags"] is tags


class Text(str):
    """Text of the user's own class."""


class Whole(int):
    """A number of the user's own class."""


class Mapping(dict[str, Any]):
    """A map of the user's own class."""


@pytest.mark.parametrize("value", [Text("x"), Whole(1), Mapping(a=1), [Text("x")], {"b": Whole(1)}, {"b": Mapping()}])
def test_a_class_of_the_users_own_is_rejected_be_it_a_str_or_a_dict(value: Any) -> None:
    assert rejection(value).rule == ALLOWED


def test_a_name_of_the_users_own_class_is_rejected() -> None:
    assert rejection({Text("b"): 1}).rule == "expected names that are text"


@given(NUMBERS)
def test_every_number_of_dynamodb_is_staged_exactly(text: str) -> None:
    (number,) = json.loads(staged(Decimal(text)), parse_float=Decimal, parse_int=Decimal).values()

    assert number == Decimal(text)


@given(st.decimals(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_is_staged_exactly_or_rejected(value: Decimal | int) -> None:
    try:
        text = staged(value)
    except RejectedError:
        digits = Decimal(value).normalize(WIDE).as_tuple().digits
        assert len(digits) > 38 or not -130 <= Decimal(value).adjusted() <= 125
        return

    (number,) = json.loads(text, parse_float=Decimal, parse_int=Decimal).values()
    assert number == value
    assert len(number.normalize(WIDE).as_tuple().digits) <= 38


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "str 'x'"),
        ("x" * 100, "str '" + "x" * 56 + "..."),
        (Decimal("1.50"), "Decimal 1.50"),
        (0.5, "float 0.5"),
        (b"x", "bytes b'x'"),
        ({"b", "a"}, "set"),
        (object(), "object"),
        pytest.param(10**100, "int 1" + "0" * 56 + "...", id="of 101 digits"),
        pytest.param(10**5000, "int of 16,610 bits", id="of 5001 digits"),
    ],
)
def test_a_value_is_described_in_the_same_words_in_every_process(value: Any, words: str) -> None:
    assert described(value) == words
