import json
from base64 import b64decode
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given

from etl.attribute_values import Number, from_wire, parse_number, to_wire
from tests.unit.values import ITEMS, NUMBERS, comparable_item

DIGITS = "12345678901234567890123456789012345678"


def plain(text: str) -> dict[str, Any]:
    """A record of plain JSON as Load decodes it."""
    record: dict[str, Any] = msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode(text)
    return record


def wire(text: str) -> Any:
    """The item, as it is sent, that a record of plain JSON becomes."""
    return json.loads(msgspec.json.encode(to_wire(plain(text))))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"S": ""}, ""),
        ({"N": "100"}, 100),
        ({"N": "-0.5"}, Decimal("-0.5")),
        ({"N": DIGITS}, int(DIGITS)),
        ({"B": "aGk="}, b"hi"),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"M": {}}, {}),
        ({"L": []}, []),
        ({"L": [{"M": {"a": {"N": "1"}}}]}, [{"a": 1}]),
        ({"SS": ["a", "b"]}, {"a", "b"}),
        ({"NS": ["1", "2.5"]}, {1, Decimal("2.5")}),
        ({"BS": ["aGk="]}, {b"hi"}),
    ],
)
def test_each_type_of_dynamodb_has_its_python_type(value: dict[str, Any], expected: Any) -> None:
    (read,) = from_wire({"attribute": value}).values()

    assert (read, type(read)) == (expected, type(expected))


@pytest.mark.parametrize("text", ["0", "-1", "007", DIGITS])
def test_a_number_written_as_an_integer_is_one(text: str) -> None:
    assert type(parse_number(text)) is int


@pytest.mark.parametrize("text", ["1.0", "1E2", "-1e-130"])
def test_a_number_with_a_fraction_or_an_exponent_is_a_decimal_with_its_own_text(text: str) -> None:
    assert str(parse_number(text)).lower() == str(Decimal(text)).lower()
    assert type(parse_number(text)) is Decimal


@given(NUMBERS)
def test_no_number_loses_a_digit(text: str) -> None:
    assert Decimal(parse_number(text)) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"S": "a", "N": "1"},
        {"X": "secret"},
        "secret",
        {"N": "secret"},
        {"N": "²"},
        {"N": 5},
        {"B": "secret!"},
        {"M": ["secret"]},
        {"M": {"a": {"N": "secret"}}},
        {"L": [{"secret": 1}]},
        {"NS": ["secret"]},
    ],
)
def test_what_is_no_attribute_value_is_an_error_that_does_not_quote_it(value: Any) -> None:
    with pytest.raises(ValueError, match="an attribute value isn't one of DynamoDB's") as error:
        from_wire({"attribute": value})

    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "x"}', {"a": {"S": "x"}}),
        ('{"a": 100}', {"a": {"N": "100"}}),
        ('{"a": 1.50}', {"a": {"N": "1.50"}}),
        ('{"a": 1E-130}', {"a": {"N": "1E-130"}}),
        (f'{{"a": {DIGITS}}}', {"a": {"N": DIGITS}}),
        (f'{{"a": 0.{DIGITS}}}', {"a": {"N": f"0.{DIGITS}"}}),
        ('{"a": true}', {"a": {"BOOL": True}}),
        ('{"a": {"$binary": "aGk="}}', {"a": {"B": "aGk="}}),
        ('{"a": {"$set": ["x"]}}', {"a": {"SS": ["x"]}}),
        ('{"a": {"$set": [1, 2.5]}}', {"a": {"NS": ["1", "2.5"]}}),
        ('{"a": {"$set": [{"$binary": "aGk="}]}}', {"a": {"BS": ["aGk="]}}),
        ('{"a": {"$map": {"$set": ["x"]}}}', {"a": {"M": {"$set": {"L": [{"S": "x"}]}}}}),
        ('{"a": {"$map": {"$map": {"b": 1}}}}', {"a": {"M": {"$map": {"M": {"b": {"N": "1"}}}}}}),
        ('{"a": {"$set": 1, "b": 2}}', {"a": {"M": {"$set": {"N": "1"}, "b": {"N": "2"}}}}),
        ('{"$set": ["x"]}', {"$set": {"L": [{"S": "x"}]}}),
        ('{"a": {}, "b": []}', {"a": {"M": {}}, "b": {"L": []}}),
    ],
)
def test_plain_json_becomes_an_item(text: str, expected: Any) -> None:
    assert wire(text) == expected


def test_none_is_left_out_as_an_attribute() -> None:
    assert wire('{"a": null, "b": 1}') == {"b": {"N": "1"}}


def test_none_is_left_out_of_a_map_at_any_depth() -> None:
    assert wire('{"a": [{"b": {"c": null}}]}') == {"a": {"L": [{"M": {"b": {"M": {}}}}]}}


def test_none_is_left_out_of_an_escaped_map() -> None:
    assert wire('{"a": {"$map": {"$set": null}}}') == {"a": {"M": {}}}


def test_none_stays_in_a_list_so_that_positions_hold() -> None:
    assert wire('{"a": [1, null, 3]}') == {"a": {"L": [{"N": "1"}, {"NULL": True}, {"N": "3"}]}}


def test_a_map_does_not_become_a_tag_by_losing_a_none() -> None:
    assert wire('{"a": {"$binary": "x", "b": null}}') == {"a": {"M": {"$binary": {"S": "x"}}}}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"$set": []}}',
        '{"a": {"$set": "secret"}}',
        '{"a": {"$set": ["secret", 1]}}',
        '{"a": {"$set": [null]}}',
        '{"a": {"$set": [["secret"]]}}',
        '{"a": {"$set": [true]}}',
        '{"a": {"$binary": 1}}',
        '{"a": {"$map": "secret"}}',
    ],
)
def test_a_tagged_value_that_transform_never_writes_is_an_error_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"a \$(set|binary|map) isn't one") as error:
        to_wire(plain(text))

    assert "secret" not in str(error.value)


@given(ITEMS)
def test_items_read_as_boto3_reads_them(item: dict[str, Any]) -> None:
    assert from_wire(item) == _unwrapped(TypeDeserializer().deserialize(_botocore({"M": item})))


@given(ITEMS)
def test_items_are_written_as_boto3_writes_them(item: dict[str, Any]) -> None:
    values = TypeDeserializer().deserialize(_botocore({"M": item}))
    written = _json(TypeSerializer().serialize(values))["M"]

    assert comparable_item(written) == comparable_item(item)  # so boto3 is exact here, and from_wire equals it


def _botocore(value: Any) -> Any:
    """DynamoDB JSON as botocore parses it: binary values decoded."""
    ((kind, content),) = value.items()
    if kind == "B":
        return {kind: b64decode(content)}
    if kind == "BS":
        return {kind: [b64decode(member) for member in content]}
    if kind == "L":
        return {kind: [_botocore(member) for member in content]}
    if kind == "M":
        return {kind: {name: _botocore(member) for name, member in content.items()}}
    return value


def _json(value: Any) -> Any:
    """What botocore would send for what boto3's serializer makes."""
    return json.loads(msgspec.json.encode(_unwrapped(value)))


def _unwrapped(value: Any) -> Any:
    if isinstance(value, Binary):
        return value.value  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {name: _unwrapped(member) for name, member in value.items()}
    if isinstance(value, (list, set)):
        return type(value)(_unwrapped(member) for member in value)
    return value
