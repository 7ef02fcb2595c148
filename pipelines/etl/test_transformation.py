"""The transformation that the project comes with. Who edits runtime/etl/transformation.py edits this file too."""

import json
from decimal import Decimal
from typing import Any

import pytest

from etl import transformation
from etl.model.errors import RejectedError
from etl.user.transformation import EXAMPLE_RUN, preview
from tests.unit.pipeline import Pipeline

ITEM = {"id": "item-001", "name": "Test Item 1", "value": 100, "timestamp": "2024-01-15T10:00:00Z"}


def transformed(**more: Any) -> dict[str, Any]:
    (record,) = preview(transformation, ITEM | more)
    return record


def test_an_item_is_kept_and_what_is_computed_is_added() -> None:
    assert transformed() == ITEM | {"date": "2024-01-15", "size": "medium", "as_of": EXAMPLE_RUN.end}


def test_attributes_that_the_contract_does_not_name_pass() -> None:
    assert transformed(tags={"a", "b"})["tags"] == {"a", "b"}


def test_an_item_with_other_attributes_than_the_specifications_sample_is_loaded() -> None:
    reading = {"id": "sensor-7", "timestamp": "2024-01-15T10:00:00Z", "value": 21, "location": "roof", "status": "ok"}
    (record,) = preview(transformation, reading)

    assert record == reading | {"date": "2024-01-15", "size": "small", "as_of": EXAMPLE_RUN.end}


def test_the_contract_requires_only_what_is_computed_with() -> None:
    class Noting(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            used.add(name)
            return super().__getitem__(name)

    used: set[str] = set()
    transformation.transform(Noting(ITEM), EXAMPLE_RUN)
    keys_of_the_destination = {"id", "timestamp"}

    assert transformation.Contract.__required_keys__ == used | keys_of_the_destination


@pytest.mark.parametrize(
    ("value", "size"), [("0", "small"), ("99.99", "small"), ("100", "medium"), ("999.9", "medium"), ("1000", "large")]
)
def test_values_are_sorted_by_size(value: str, size: str) -> None:
    assert transformed(value=Decimal(value))["size"] == size


def test_a_negative_value_is_rejected() -> None:
    with pytest.raises(RejectedError, match=r"value: expected a number >= 0, got -0\.01"):
        transformed(value=Decimal("-0.01"))


@pytest.mark.parametrize(("name", "value"), [("id", ""), ("value", "100"), ("value", None), ("timestamp", None)])
def test_what_breaks_the_contract_is_rejected(name: str, value: Any) -> None:
    with pytest.raises(RejectedError, match=f"{name}: expected"):
        transformed(**{name: value})


def test_the_items_of_the_specification_are_transformed_and_added_up() -> None:
    given = [
        {
            "id": {"S": f"item-00{n}"},
            "name": {"S": f"Test Item {n}"},
            "value": {"N": str(n * 100)},
            "timestamp": {"S": f"2024-01-15T1{n - 1}:00:00Z"},
        }
        for n in (1, 2)
    ]
    pipeline = Pipeline(given)
    with pipeline.deployed():
        output = pipeline.run({"start": "2024-01-15", "end": "2024-01-16"})

    added = {"date": {"S": "2024-01-15"}, "size": {"S": "medium"}, "as_of": {"S": "2024-01-16T00:00:00Z"}}
    assert sorted(pipeline.dynamodb.tables["destination"], key=str) == [each | added for each in given]
    assert json.loads(pipeline.s3.objects[output["keys"]["aggregates"]])["aggregates"] == [
        {
            "name": "value_by_date",
            "by": ["date"],
            "groups": [
                {
                    "date": "2024-01-15",
                    "records": 2,
                    "value_sum": 300,
                    "value_min": 100,
                    "value_max": 200,
                    "value_avg": 150,
                }
            ],
        }
    ]
