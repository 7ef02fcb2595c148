"""Instants in rows of the run ledger, which a person may have edited."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from etl.model.errors import ConfigurationError, Reason
from etl.model.instants import InstantError, format_instant, parse_instant
from etl.model.ledger_fields import KEY

_EXAMPLE = "2024-01-15T00:00:00Z"
_MOST_SHOWN = 80


def instant_in(row: Mapping[str, Any], name: str, table: str) -> datetime:
    """An instant in a row of the ledger.

    Args:
        row: the row, as DynamoDB gives it.
        name: the attribute.
        table: name of the ledger's table, for the error.

    Raises:
        ConfigurationError: the attribute is missing, or has another value; the message says how to correct it.
    """
    found = row.get(name)
    try:
        return parse_instant(found["S"])  # type: ignore[index]
    except (InstantError, KeyError, TypeError):
        raise not_an_instant(row, name, table) from None


def position_in(row: Mapping[str, Any], name: str, table: str) -> datetime:
    """An instant in the watermark. DynamoDB compares it as text, so it must be written as the pipeline writes it.

    Raises:
        ConfigurationError: see :func:`instant_in`.
    """
    instant = instant_in(row, name, table)
    if row[name]["S"] != format_instant(instant):
        raise not_an_instant(row, name, table)
    return instant


def not_an_instant(row: Mapping[str, Any], name: str, table: str) -> ConfigurationError:
    """The error that an attribute of a row isn't an instant."""
    key = {each: row[each] for each in KEY}
    found = ascii(row.get(name))
    shown = found if len(found) <= _MOST_SHOWN else f"{found[: _MOST_SHOWN - 3]}..."
    return ConfigurationError(
        f"{name} must be a time like {_EXAMPLE} in row {json.dumps(key)} of table {table}, got {shown}; it was changed "
        f"by hand. Set it to the right time: aws dynamodb update-item --table-name {table} --key '{json.dumps(key)}' "
        f"--update-expression 'SET #name = :time' --expression-attribute-names '{json.dumps({'#name': name})}' "
        f"--expression-attribute-values '{json.dumps({':time': {'S': _EXAMPLE}})}'",
        Reason.LEDGER_CHANGED,
    )
