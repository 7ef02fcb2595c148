"""An expression is parsed once for any number of items."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import dynamodb

from etl.model.schema import SPECIFIED
from etl.tables.change_time import bounds, rule_of
from etl_cli.local.corrections.parsed_expressions import parse_expressions_once

REQUEST = rule_of(SPECIFIED.time).filter(bounds("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", "2024-01-16T02:00:00Z"))


def picked(text: str) -> bool:
    found: bool = dynamodb._evaluate_condition(
        REQUEST["FilterExpression"],
        {"timestamp": {"S": text}},
        REQUEST["ExpressionAttributeValues"],
        REQUEST["ExpressionAttributeNames"],
        slot="FilterExpression",
    )
    return found


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The expressions that are parsed."""
    expressions: list[str] = []
    tokenize = dynamodb._tokenize

    def counting(expression: str) -> Any:
        expressions.append(expression)
        return tokenize(expression)

    monkeypatch.setattr(dynamodb, "_tokenize", counting)
    monkeypatch.setattr(dynamodb, "_condition_syntax_error", dynamodb._condition_syntax_error)  # restored afterwards
    return expressions


def test_the_emulator_itself_parses_for_each_item(parsed: list[str]) -> None:
    assert [picked("2024-01-15T10:00:00Z"), picked("2024-01-14T10:00:00Z")] == [True, False]

    assert len(parsed) == 2  # else the correction is no longer needed


def test_it_is_parsed_once(parsed: list[str]) -> None:
    parse_expressions_once()
    texts = ["2024-01-15T10:00:00Z", "2024-01-14T10:00:00Z", "2O24-01-15T10:00:00Z", "2024-01-16T01:00:00Z"]

    assert [picked(text) for text in texts * 10] == [True, False, True, False] * 10
    assert len(parsed) == 1
