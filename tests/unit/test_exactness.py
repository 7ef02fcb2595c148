"""The way of a value through the pipeline: from the source's bytes to the destination's, nothing is lost."""

import ast
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given

import etl
from etl.values.attribute_values import Number, from_wire, to_wire
from etl.values.plain_json import plain_line
from tests.unit.values import ITEMS, comparable_item, nested, without_nulls

_records = msgspec.json.Decoder(dict[str, Any], float_hook=Number)


def carried(item: dict[str, Any]) -> dict[str, Any]:
    """An item, as Extract, Transform and Load hand it on."""
    (record,) = from_wire(json.dumps([item]).encode())
    line = plain_line(record)
    assert b"\n" not in line  # a staged object has one record a line
    loaded: dict[str, Any] = json.loads(msgspec.json.encode(to_wire(_records.decode(line))))
    return loaded


@given(ITEMS)
@example({"a": {"M": {"$set": {"L": [{"S": "x"}]}}}})
@example({"a": {"M": {"$map": {"M": {"$binary": {"S": "x"}}}}}})
@example({"a": {"M": {"$set": {"NULL": True}}}})
@example({"a": {"N": "-0.00000000000000000000000000000000000000000000000001234567890123456789012345678901234567"}})
@example({"a": {"N": "9.9999999999999999999999999999999999999E+125"}})
@example({"a": nested(32)})
@example({"a": nested(32, "M")})
@example({"a": {"S": "\u0000\u001f\u2028"}})
def test_an_item_arrives_as_it_was_but_for_the_rules_about_none(item: dict[str, Any]) -> None:
    assert comparable_item(carried(item)) == comparable_item(without_nulls(item))


@given(ITEMS)
def test_a_second_passage_changes_nothing(item: dict[str, Any]) -> None:
    once = carried(item)

    assert carried(once) == once


@pytest.mark.parametrize(
    "number",
    [
        "0.1",
        "9007199254740993",
        "-9007199254740993.5",
        "18446744073709551616",
        "99999999999999999999999999999999999999",
        "0.30000000000000000000000000000000000004",
        "1E+125",
        "123E-132",
    ],
)
@pytest.mark.parametrize("wrap", [lambda n: {"N": n}, lambda n: {"NS": [n]}, lambda n: {"L": [{"M": {"x": {"N": n}}}]}])
def test_a_number_that_a_float_would_change_is_not_changed(number: str, wrap: Any) -> None:
    item = {"a": wrap(number)}

    assert comparable_item(carried(item)) == comparable_item(item)


@pytest.mark.parametrize(
    "module",
    [
        *("values/attribute_values", "values/plain_json", "tables/source", "staging/bucket", "staging/batches"),
        *("load", "user/transformer", "user/accumulator", "user/isolation", "gate"),
    ],
)
def test_no_module_on_the_way_of_a_value_makes_a_float(module: str) -> None:
    tree = ast.parse((Path(etl.__path__[0]) / f"{module}.py").read_text())
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}

    assert "float" not in calls
