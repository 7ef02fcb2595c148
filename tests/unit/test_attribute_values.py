import json
from base64 import b64decode
from decimal import Decimal, DecimalException
from typing import Any

import msgspec
import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given, reject

from etl.values.attribute_values import Number, from_wire, to_wire
from etl.values.plain_json import plain_line
from tests.unit.values import ITEMS, NUMBERS, comparable_item, without_nulls

DIGITS = "12345678901234567890123456789012345678"


def value_of(value: Any) -> Any:
    """The Python value that an attribute value is read as."""
    ((read,),) = (record.values() for record in from_wire(json.dumps([{"attribute": value}]).encode()))
    return read


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
    read = value_of(value)

    assert (read, type(read)) == (expected, type(expected))


@pytest.mark.parametrize("text", ["0", "-0", "-1", "9223372036854775808", "18446744073709551616", DIGITS, f"-{DIGITS}"])
def test_a_number_written_as_an_integer_is_one(text: str) -> None:
    number = value_of({"N": text})

    assert (number, type(number)) == (int(text), int)


@pytest.mark.parametrize("text", ["1.0", "1.50", "1E2", "-1e-130", "100.000", f"0.{DIGITS}"])
def test_a_number_with_a_fraction_or_exponent_is_a_decimal(text: str) -> None:
    number = value_of({"N": text})

    assert str(number).lower() == str(Decimal(text)).lower()
    assert type(number) is Decimal


@given(NUMBERS)
def test_no_number_loses_a_digit(text: str) -> None:
    assert Decimal(value_of({"N": text})) == Decimal(text)


@pytest.mark.parametrize("kind", ["S", "B", "SS", "BS"])
def test_text_that_looks_like_another_type_stays_text(kind: str) -> None:
    text = "null"  # four letters that are base64 as well
    value = [text] if kind in ("SS", "BS") else text

    expected = b64decode(text) if kind.startswith("B") else text
    assert value_of({kind: value}) == ({expected} if isinstance(value, list) else expected)


def test_items_stay_in_their_order() -> None:
    items = [{"n": {"N": str(number)}} for number in range(30)]

    assert from_wire(json.dumps(items).encode()) == [{"n": number} for number in range(30)]


@pytest.mark.parametrize("document", [b"", b"[", b"[{secret}]", b"[{}]]", b'[{"a":{"S":"\xff"}}]'])
def test_what_is_no_json_is_an_error(document: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)) as error:
        from_wire(document)

    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"X": "secret"},
        "secret",
        {"N": "secret"},
        {"N": "²"},
        {"N": True},
        {"S": 5},
        {"S": None},
        {"SS": "secret"},
        {"NULL": "secret"},
        {"B": 5},
        {"B": "secret!"},
        {"M": ["secret"]},
        {"M": {"a": {"N": "secret"}}},
        {"L": [{"secret": 1}]},
        {"NS": ["secret"]},
    ],
)
def test_an_error_does_not_quote_a_wrong_attribute_value(value: Any) -> None:
    with pytest.raises(ValueError, match="DynamoDB") as error:
        value_of(value)

    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


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
def test_an_error_does_not_quote_a_wrong_tagged_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"a \$(set|binary|map) isn't one") as error:
        to_wire(plain(text))

    assert "secret" not in str(error.value)


@pytest.mark.parametrize("levels", [1000, 50_000])
@pytest.mark.parametrize("around", [(b'{"L":[', b"]}"), (b'{"M":{"a":', b"}}")])
def test_an_item_of_a_thousand_levels_is_an_error_of_values(levels: int, around: tuple[bytes, bytes]) -> None:
    document = b'[{"a":' + around[0] * levels + b'{"S":"x"}' + around[1] * levels + b"}]"

    with pytest.raises(ValueError, match="DynamoDB"):
        from_wire(document)


@pytest.mark.parametrize("around", ["[%s]", '{"a": %s}', '{"$map": %s}'])
def test_a_record_of_a_thousand_levels_is_an_error_of_values(around: str) -> None:
    value: Any = {}
    for _ in range(5000):
        value = [value] if around == "[%s]" else {around[2:].partition('"')[0]: value}

    with pytest.raises(ValueError, match="levels"):
        to_wire({"a": value})


@given(ITEMS)
def test_items_read_as_boto3_reads_them(item: dict[str, Any]) -> None:
    (read,) = from_wire(json.dumps([item]).encode())

    assert read == _unwrapped(_deserialized(item))


@given(ITEMS)
def test_items_are_written_as_boto3_writes_them(item: dict[str, Any]) -> None:
    kept = without_nulls(item)  # None is left out by a rule of ours
    values = _deserialized(kept)
    (read,) = from_wire(json.dumps([kept]).encode())
    written = wire(plain_line(read).decode())

    assert comparable_item(written) == comparable_item(_json(TypeSerializer().serialize(values))["M"])


def test_a_record_becomes_its_item_in_place() -> None:
    record = plain('{"a": 1, "b": null}')

    assert to_wire(record) is record


def test_a_value_that_no_json_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="float"):
        to_wire({"a": 1.5})


def _deserialized(item: dict[str, Any]) -> Any:
    """An item as boto3 reads it; where boto3 can't, for a number near the smallest, there is nothing to compare."""
    try:
        return TypeDeserializer().deserialize(_botocore({"M": item}))
    except DecimalException:
        reject()


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
    """The JSON that botocore would send for the output of boto3's serializer."""
    return json.loads(msgspec.json.encode(_unwrapped(value)))


def _unwrapped(value: Any) -> Any:
    if isinstance(value, Binary):
        return value.value  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {name: _unwrapped(member) for name, member in value.items()}
    if isinstance(value, (list, set)):
        return type(value)(_unwrapped(member) for member in value)
    return value
