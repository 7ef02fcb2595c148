"""Tests of the transformation next to this file. `make test` runs them; edit them together."""

from decimal import Decimal

import pytest

import transformation
from etl.user import RejectedError, preview

ITEM = {"id": "item-001", "timestamp": "2024-01-15T10:00:00Z", "name": "Test Item 1", "value": 100}


def test_an_item_gets_its_date_and_size_and_the_windows_end() -> None:
    (record,) = preview(transformation, ITEM)

    assert record == ITEM | {"date": "2024-01-15", "size": "medium", "as_of": "2024-01-16T00:00:00Z"}


@pytest.mark.parametrize(
    ("value", "size"), [("0", "small"), ("99.99", "small"), ("100", "medium"), ("999.9", "medium"), ("1000", "large")]
)
def test_the_size_follows_from_the_value(value: str, size: str) -> None:
    (record,) = preview(transformation, ITEM | {"value": Decimal(value)})

    assert record["size"] == size


@pytest.mark.parametrize("value", [Decimal("-0.01"), "100", None])
def test_a_value_below_0_or_of_another_type_is_rejected(value: object) -> None:
    with pytest.raises(RejectedError, match="value"):
        preview(transformation, ITEM | {"value": value})
