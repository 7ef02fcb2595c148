"""The transformation: the file that you edit. ``docs/transformations.md`` teaches it by examples.

Three names are used by the pipeline: ``Contract``, ``transform`` and ``AGGREGATES``.
"""

from typing import TypedDict

from etl.user import Aggregate, Number, Record, RejectedError, Run, Text


class Contract(TypedDict):
    """What a record of the source table must have. Further attributes are allowed, and pass untouched."""

    id: Text
    timestamp: Text
    value: Number


def transform(record: Record, run: Run) -> Record | list[Record] | None:
    """Turn one record of the source table into what the destination table gets.

    Args:
        record: the attributes by name, checked against the contract; yours to change.
        run: the run. ``run.end``, the end of its window, is the same in every retry and in every run of that
            window; ``run.time`` is when this execution started.

    Returns:
        The record to load, several of them, or None to load nothing. Each needs ``id`` and ``timestamp``.

    Raises:
        RejectedError: the record can't be used; it goes to quarantine and the run continues.
    """
    if record["value"] < 0:
        raise RejectedError("value", "a number >= 0", record["value"])
    record["date"] = record["timestamp"][:10]
    record["size"] = "small" if record["value"] < 100 else "medium" if record["value"] < 1000 else "large"
    record["as_of"] = run.end
    return record


AGGREGATES = [
    Aggregate(name="value_by_date", by=["date"], of={"value": ["sum", "min", "max", "avg"]}),
]
