"""The transformation of the memory tests: values below 0 are rejected, all else passes unchanged."""

from typing import TypedDict

from etl.model.errors import RejectedError
from etl.model.run import Run
from etl.user.aggregates import Aggregate
from etl.user.contract import Number, Text
from etl.values.attribute_values import Record


class Contract(TypedDict):
    """The attributes of every item."""

    id: Text
    timestamp: Text
    value: Number


def transform(record: Record, run: Run) -> Record:  # noqa: ARG001 - as the pipeline calls it
    """Load a record as it is. Each that is rejected has a reason of its own."""
    if record["value"] < 0:
        raise RejectedError("value", f"a number >= 0 in {record['id']}", record["value"])
    return record


AGGREGATES = [Aggregate(name="by_name", by=["name"], of={"value": ["sum", "min", "max", "avg"]})]
