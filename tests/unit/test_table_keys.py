"""The key of a table: any attributes, of any type that DynamoDB allows."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.model.keys import KeyAttribute, KeyAttributes, canonical, keys_of, plain_reader, wire_key, wire_reader
from etl.values.attribute_values import Number, from_wire, to_wire
from etl.values.plain_json import plain_line

NAMES = st.text(min_size=1, max_size=60) | st.sampled_from(
    ["id", "timestamp", "#", ".", "a.b", "key ☕", "$binary", "size"]
)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=3).map(str)
VALUES = {"S": st.text(min_size=1), "N": NUMBERS, "B": st.sampled_from(["AA==", "MjAyNA==", "/+8="])}
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Number).decode


@st.composite
def keyed(draw: st.DrawFn) -> tuple[KeyAttributes, dict[str, Any]]:
    """A key, and an item of DynamoDB JSON that has it."""
    names = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    key = tuple(KeyAttribute(name, draw(st.sampled_from(["S", "N", "B"]))) for name in names)
    item = {attribute.name: {attribute.type: draw(VALUES[attribute.type])} for attribute in key}
    return key, {"other ": {"L": [{"N": "1"}]}} | item


@given(keyed())
def test_a_key_is_the_same_in_every_form_of_a_record(given: tuple[KeyAttributes, dict[str, Any]]) -> None:
    key, item = given
    values = wire_reader(key)(json.dumps(item).encode())
    (record,) = from_wire(b"[" + json.dumps(item).encode() + b"]")
    line = plain_line(record)

    assert plain_reader(key)(line) == values
    assert keys_of(key)([_decode(line), _decode(line)]) == [values, values]
    assert wire_reader(key)(msgspec.json.encode(to_wire(_decode(line)))) == values
    assert wire_reader(key)(json.dumps(wire_key(key, values)).encode()) == values


@pytest.mark.parametrize(
    "spelt", ["1", "1.0", "1E0", "+1", "10E-1", "0.1E1", "1.00000000000000000000000000000000000000"]
)
def test_a_number_has_one_spelling(spelt: str) -> None:
    assert canonical(spelt) == "1"


@pytest.mark.parametrize(
    ("spelt", "text"),
    [
        ("-0", "0"),
        ("007", "7"),
        ("9" * 21, "9" * 21),
        ("1" + "0" * 21, "1E+21"),
        ("-1" + "0" * 20, "-1" + "0" * 20),
        ("0E5", "0"),
        ("1000", "1000"),
        ("1E125", "1E+125"),
        ("12.50", "12.5"),
        ("1E-130", "1E-130"),
        ("9" * 38, str(Decimal("9" * 38))),
    ],
)
def test_a_number_is_spelt_as_people_would(spelt: str, text: str) -> None:
    assert canonical(spelt) == text


@pytest.mark.parametrize("item", [{}, {"k": {"S": "5"}}, {"k": {"M": {"N": {"N": "5"}}}}])
def test_an_attribute_of_another_type_is_read_as_empty(item: dict[str, object]) -> None:
    assert wire_reader((KeyAttribute("k", "N"),))(json.dumps(item).encode()) == ("",)


@pytest.mark.parametrize("line", [b"{}", b'{"k":null}', b'{"k":{"$set":["AA=="]}}'])
def test_a_staged_record_without_its_key_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        plain_reader((KeyAttribute("k", "B"),))(line)
