"""Refuses a filter of a Scan as DynamoDB does: before it reads an item, and in its words.

Sources: "Invalid FilterExpression: Attribute name is a reserved keyword; reserved keyword: time"
(github.com/Arattian/DynamoDb-GUI-Client, issue 31); "Invalid FilterExpression: The expression contains too many
operators; operator count: 301" (github.com/aws/aws-sdk-js, issue 3721).
"""

from __future__ import annotations

from typing import Any

MOST_OPERATORS = 300
_SLOT = "FilterExpression"
_FUNCTIONS = {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}


def refuse_filters() -> None:
    """Refuse a wrong FilterExpression of a Scan of an empty table too, and one with too many operators."""
    from ministack.services import dynamodb

    scan = dynamodb._scan

    def checked(data: dict[str, Any]) -> Any:
        expression = data.get(_SLOT)
        problem = _problem(dynamodb, expression) if isinstance(expression, str) and expression.strip() else None
        return dynamodb.error_response_json("ValidationException", problem, 400) if problem else scan(data)

    dynamodb._scan = checked


def _problem(dynamodb: Any, expression: str) -> str | None:
    if syntax := dynamodb._condition_syntax_error(expression, _SLOT):
        return str(syntax)
    if reserved := dynamodb._check_reserved_keyword_usage(dynamodb._tokenize(expression)):
        return str(reserved).replace("UpdateExpression", _SLOT, 1)
    operators = sum(map(_is_operator, (found[0].strip() for found in dynamodb._COND_TOKEN_RE.finditer(expression))))
    if operators > MOST_OPERATORS:
        return f"Invalid {_SLOT}: The expression contains too many operators; operator count: {operators}"
    return None


def _is_operator(sign: str) -> bool:
    return (
        sign in {"=", "<>", "<", "<=", ">", ">="}
        or sign.upper() in {"AND", "OR", "NOT", "BETWEEN", "IN"}
        or (sign.lower() in _FUNCTIONS)
    )
