"""The suite's own transformation, which is the specification's: from one record to a run's aggregates."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypedDict

import pytest

import transformation
from etl.model.setting import SettingsError
from etl.model.settings_sources import FILE
from etl.user import EXAMPLE_RUN, RejectedError, preview
from tests.fakes.pipeline import FakePipeline

ITEM = {"id": "item-001", "name": "Test Item 1", "value": 100, "timestamp": "2024-01-15T10:00:00Z"}
COMPUTED = {"date": "2024-01-15", "size": "medium", "as_of": EXAMPLE_RUN.end}


def transformed(**more: Any) -> dict[str, Any]:
    (record,) = preview(transformation, ITEM | more)
    return record


def test_attributes_outside_the_contract_pass() -> None:
    assert transformed(tags={"a", "b"}) == ITEM | COMPUTED | {"tags": {"a", "b"}}


def test_an_item_of_another_shape_is_loaded() -> None:
    reading = {"id": "sensor-7", "timestamp": "2024-01-15T10:00:00Z", "value": 21, "location": "roof", "status": "ok"}
    (record,) = preview(transformation, reading)

    assert record == reading | COMPUTED | {"size": "small"}


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
    ("name", "value"), [("id", ""), ("value", "100"), ("value", None), ("value", -1), ("timestamp", None)]
)
def test_a_breach_of_the_contract_is_rejected(name: str, value: Any) -> None:
    with pytest.raises(RejectedError, match=name):
        transformed(**{name: value})


def test_the_specifications_items_are_loaded_and_added_up() -> None:
    given = [
        {
            "id": {"S": f"item-00{n}"},
            "name": {"S": f"Test Item {n}"},
            "value": {"N": str(n * 100)},
            "timestamp": {"S": f"2024-01-15T1{n - 1}:00:00Z"},
        }
        for n in (1, 2)
    ]
    pipeline = FakePipeline(given)
    with pipeline.deployed():
        output = pipeline.run({"start": "2024-01-15", "end": "2024-01-16"})

    added = {name: {"S": text} for name, text in COMPUTED.items()}
    assert sorted(pipeline.dynamodb.tables["destination"], key=str) == [each | added for each in given]
    figures = {"records": 2, "value_sum": 300, "value_min": 100, "value_max": 200, "value_avg": 150}
    assert json.loads(pipeline.s3.objects[output["keys"]["aggregates"]])["aggregates"] == [
        {"name": "value_by_date", "by": ["date"], "groups": [{"date": "2024-01-15"} | figures]}
    ]


@pytest.fixture
def other(tmp_path: Path) -> Any:
    """A transformation of another table, next to its settings."""
    settings = 'source_cursor = "changed"\nsource_cursor_format = "epoch_ms"\ndestination_keys = "pk:N"\n'
    (tmp_path / FILE).write_text(f"[settings]\n{settings}")
    file = str(tmp_path / "transformation.py")

    class Contract(TypedDict):
        pk: int

    return SimpleNamespace(__file__=file, Contract=Contract, transform=lambda record, _: record)


def test_a_preview_takes_time_and_key_from_the_settings_next_to_the_file(other: Any) -> None:
    record = {"pk": 1, "changed": 1705312800000}

    assert preview(other, record) == [record]
    with pytest.raises(RejectedError, match="changed"):
        preview(other, {"pk": 1, "changed": "yesterday"})


def test_the_key_of_a_destination_that_exists_is_said(other: Any) -> None:
    record = {"pk": 1, "changed": 1705312800000}

    assert preview(other, record | {"name": "a"}, destination_keys="name:S,pk:N")
    with pytest.raises(RejectedError, match="name"):
        preview(other, record, destination_keys="name:S,pk:N")


def test_settings_next_to_the_file_that_cannot_be_used_are_refused(other: Any, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[settings]\ndestination_keys = "pk"\n')

    with pytest.raises(SettingsError, match="destination_keys"):
        preview(other, {"pk": 1})
