"""The transformation of the memory tests: all passes as it is, but for what is below 0."""

from typing import TypedDict

from etl.model.rejection import RejectedError
from etl.model.run import Run
from etl.user.aggregates import Aggregate
from etl.user.contract import Number, Text
from etl.values.attribute_values import Record


class Contract(TypedDict):
    """What every item has."""

    id: Text
    timestamp: Text
    value: Number


def transform(record: Record, run: Run) -> Record:  # noqa: ARG001 - as the pipeline calls it
    """Load a record as it is. Each that is rejected has a reason of its own."""
    if record["value"] < 0:
        raise RejectedError(f"expected a number >= 0 in {record['id']}", field="value", got=record["value"])
    return record


AGGREGATES = [Aggregate(name="by_name", by=["name"], of={"value": ["sum", "min", "max", "avg"]})]
