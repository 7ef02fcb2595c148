"""The transformation: the file that you edit. ``docs/transformations.md`` teaches it by examples.

The pipeline uses three names of it: ``Contract``, ``transform`` and ``AGGREGATES``.
"""

from typing import TypedDict

from etl.user import Aggregate, Number, Record, RejectedError, Run, Text


class Contract(TypedDict):
    """The attributes that a record of the source table must have. Others are allowed, and pass unchanged."""

    id: Text
    timestamp: Text
    value: Number


def transform(record: Record, run: Run) -> Record | list[Record] | None:
    """Turn a record of the source table into records for the destination table.

    Args:
        record: the attributes by name, checked against the contract. You may change it.
        run: the run. ``run.end``, the end of its window, is the same in every retry and in every run of that
            window. ``run.time`` is the start of this execution.

    Returns:
        The record to load, several of them, or None to load nothing. Each needs ``id`` and ``timestamp``.

    Raises:
        RejectedError: the record can't be used. It goes to quarantine, and the run continues.
    """
    if record["value"] < 0:
        raise RejectedError("expected a number >= 0", field="value", got=record["value"])
    record["date"] = record["timestamp"][:10]
    record["size"] = "small" if record["value"] < 100 else "medium" if record["value"] < 1000 else "large"
    record["as_of"] = run.end
    return record


AGGREGATES = [
    Aggregate(name="value_by_date", by=["date"], of={"value": ["sum", "min", "max", "avg"]}),
]
