"""The names that a transformation imports. ``docs/transformations.md`` shows how one is written."""

from etl.model.rejection import RejectedError
from etl.model.run import Run
from etl.user.aggregates import Aggregate
from etl.user.contract import Number, Text
from etl.user.transformation import EXAMPLE_RUN, preview
from etl.values.attribute_values import Record

__all__ = ["EXAMPLE_RUN", "Aggregate", "Number", "Record", "RejectedError", "Run", "Text", "preview"]
