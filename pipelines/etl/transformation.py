"""Readings of sensors: a table that has nothing in common with the demo's but its key."""

from typing import Literal, TypedDict

from etl.user import Aggregate, Number, Record, Run, Text


class Contract(TypedDict):
    id: Text
    timestamp: Text
    sensor: Text
    celsius: Number
    state: Literal["ok", "warm", "broken"]


def transform(record: Record, run: Run) -> Record | None:
    if record["state"] == "broken":
        return None
    return {
        "id": record["sensor"],
        "timestamp": record["timestamp"],
        "fahrenheit": record["celsius"] * 9 / 5 + 32,
    }


AGGREGATES = [Aggregate(name="by_sensor", by=["id"], of={"fahrenheit": ["min", "max"]})]
