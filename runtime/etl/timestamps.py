"""An item's timestamp: what is one, and how DynamoDB picks those of a window.

A timestamp is ISO 8601 in UTC: ``2024-01-15T10:00:00Z``, with a fraction of a second of any length or none.
The window's bounds are whole seconds written without the ``Z``: so ``2024-01-15T10:00:00`` sorts before
``…10:00:00.5Z`` and before ``…10:00:00Z`` alike, and a comparison of text is one of time.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from etl.errors import RejectedError

ATTRIBUTE = "timestamp"
EXPECTED = "a time in UTC such as 2024-01-15T10:00:00Z"
_SHAPE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z"
# The beginning of a line that isn't of this shape.
_MISSHAPEN = re.compile(rf"\n(?!{_SHAPE}(?:\n|\Z))")

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


def all_times(texts: Sequence[str]) -> bool:
    """Whether each of these texts is a time: one search over all, since it is asked for every item there is."""
    lines = "\n".join(("", *texts))
    # A text with a line break of its own would pass for two.
    shaped = lines.count("\n") == len(texts) and not _MISSHAPEN.search(lines)
    return shaped and all(map(_is_date, {text[:10] for text in texts}))


def refused(value: dict[str, Any] | None) -> RejectedError:
    """Why an item is rejected whose timestamp isn't a time.

    Args:
        value: the attribute value in DynamoDB JSON, ``{"S": "yesterday"}``; None when there is none.
    """
    if value is None:
        return RejectedError(ATTRIBUTE, EXPECTED, "no such attribute")
    text = value.get("S")
    if text is None:
        return RejectedError(ATTRIBUTE, EXPECTED, f"an attribute of type {next(iter(value), 'unknown')}")
    return RejectedError(ATTRIBUTE, EXPECTED, repr(text[:40]))


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
