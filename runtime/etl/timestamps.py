"""An item's timestamp: what is one, and how DynamoDB picks those of a window.

A timestamp is ISO 8601 in UTC: ``2024-01-15T10:00:00Z``, with a fraction of a second of any length or none.
The window's bounds are whole seconds written without the ``Z``: so ``2024-01-15T10:00:00`` sorts before
``…10:00:00.5Z`` and before ``…10:00:00Z`` alike, and a comparison of text is one of time.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Any

from etl.attribute_values import type_name
from etl.contract import Record
from etl.errors import RejectedError

ATTRIBUTE = "timestamp"
EXPECTED = "a time in UTC such as 2024-01-15T10:00:00Z"
_SHAPE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z"
_SHAPES = re.compile(rf"(?:{_SHAPE}\n)*+")

# Items outside of the window whose timestamp can't be one: they come along and go to quarantine. What has
# none of these signs and still is no time sorts between two windows that there can be: into one of them, where
# it is told apart.
_NO_TIME = (
    "attribute_not_exists(#timestamp)",
    "NOT attribute_type(#timestamp, :string)",
    "size(#timestamp) < :shortest",
    "#timestamp < :first",
    "#timestamp >= :last",
    *(f"NOT contains(#timestamp, :{name})" for name in ("dash", "t", "colon", "z")),
)


def window_filter(start: str, end: str) -> dict[str, Any]:
    """The part of a Scan request that picks the items of ``[start, end)``, and those without a usable timestamp.

    Args:
        start: first instant of the window, ``2024-01-15T00:00:00Z``.
        end: first instant after it.
    """
    texts = {
        ":start": start.removesuffix("Z"),
        ":end": end.removesuffix("Z"),
        ":string": "S",
        ":first": "0001-01-01T00:00:00",
        ":last": "9999-12-31T23:59:60",
        ":dash": "-",
        ":t": "T",
        ":colon": ":",
        ":z": "Z",
    }
    return {
        "FilterExpression": " OR ".join(("(#timestamp >= :start AND #timestamp < :end)", *_NO_TIME)),
        "ExpressionAttributeNames": {"#timestamp": ATTRIBUTE},  # a reserved word of DynamoDB
        "ExpressionAttributeValues": {
            **{name: {"S": text} for name, text in texts.items()},
            ":shortest": {"N": str(len("2024-01-15T10:00:00Z"))},
        },
    }


def check_timestamps(records: list[Record]) -> list[RejectedError | None]:
    """Check the timestamps of records; for each why it isn't a time, None for one that is."""
    try:
        timed = _all_times([record[ATTRIBUTE] for record in records])
    except (KeyError, TypeError):  # one has none, or none that is text
        timed = False
    return [None] * len(records) if timed else [_breach(record) for record in records]


def _all_times(texts: list[str]) -> bool:
    """Whether each of these texts is a time: one match of all, since it is asked for every item there is."""
    lines = "\n".join((*texts, ""))
    # A text with a line break of its own would pass for two.
    shaped = lines.count("\n") == len(texts) and _SHAPES.fullmatch(lines) is not None
    return shaped and all(map(_is_date, {text[:10] for text in texts}))


def _breach(record: Record) -> RejectedError | None:
    if ATTRIBUTE not in record:
        return RejectedError(ATTRIBUTE, EXPECTED, "no such attribute")
    value = record[ATTRIBUTE]
    if not isinstance(value, str):
        return RejectedError(ATTRIBUTE, EXPECTED, f"an attribute of type {type_name(value)}")
    return None if _all_times([value]) else RejectedError(ATTRIBUTE, EXPECTED, repr(value[:40]))


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
