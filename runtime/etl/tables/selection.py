"""The items that a run reads: those of its window, and of them those that your filter picks."""

import re
from typing import Any

from etl.model.schema import Schema
from etl.model.source_filter import SourceFilter
from etl.tables.change_time import Bounds, rule_of

# Source: DynamoDB developer guide, "Constraints in Amazon DynamoDB", expression parameters.
_MOST_EXPRESSION_BYTES = 4096
# DynamoDB's own message: "The expression contains too many operators; operator count: 301" (github.com/aws/aws-sdk-js,
# issue 3721). It documents the number for update expressions alone.
_MOST_OPERATORS = 300
_OPERATOR = re.compile(
    r"(?<![#:\w])(?:and|or|not|in|between|contains|begins_with|size|attribute_\w+)\b|<=|>=|<>|[<>=]", re.I
)
_PLACEHOLDER = re.compile(r"([#:])(\w+)")
_YOURS = r"\1user\2"
"""Your placeholders get another name, since the pipeline's own filter has a ``:start`` too."""


def selection(schema: Schema, run: Bounds) -> dict[str, Any]:
    """The part of a Scan request that picks the items of a run."""
    picked = rule_of(schema.time).filter(run)
    return picked if schema.filter is None else _both(picked, schema.filter)


def check_length(picked: dict[str, Any]) -> None:
    """Check that DynamoDB takes an expression of this length.

    Raises:
        ValueError: it doesn't.
    """
    expression = picked.get("FilterExpression", "")
    size, operators = len(expression.encode()), len(_OPERATOR.findall(expression))
    if size > _MOST_EXPRESSION_BYTES or operators > _MOST_OPERATORS:
        raise ValueError(
            f"source_filter, together with the pipeline's own filter of the window, has {size:,} bytes and "
            f"{operators} operators, and DynamoDB takes at most {_MOST_EXPRESSION_BYTES:,} and {_MOST_OPERATORS}: "
            "shorten it"
        )


def _both(picked: dict[str, Any], yours: SourceFilter) -> dict[str, Any]:
    expression = _renamed(yours.expression)
    if picked:
        expression = f"({picked['FilterExpression']}) AND {_in_parentheses(expression)}"
    parts = {
        "FilterExpression": expression,
        "ExpressionAttributeNames": picked.get("ExpressionAttributeNames", {})
        | {_renamed(placeholder): name for placeholder, name in yours.names.items()},
        "ExpressionAttributeValues": picked.get("ExpressionAttributeValues", {})
        | {_renamed(placeholder): value for placeholder, value in yours.values.items()},
    }
    return {name: part for name, part in parts.items() if part}  # DynamoDB refuses an empty map


def _in_parentheses(expression: str) -> str:
    """The expression in one pair of parentheses: DynamoDB refuses a second pair around the first as redundant."""
    depth = 0
    for position, sign in enumerate(expression.strip(), 1):
        depth += (sign == "(") - (sign == ")")
        if not depth and position < len(expression.strip()):
            return f"({expression})"
    return expression


def _renamed(expression: str) -> str:
    return _PLACEHOLDER.sub(_YOURS, expression)


def as_written(message: str) -> str:
    """A message of DynamoDB with your placeholders as you wrote them."""
    return re.sub(r"([#:])user(\w+)", r"\1\2", message)
