"""An item's timestamp: what is one, and how DynamoDB picks those of a window.

A timestamp is ISO 8601 in UTC: ``2024-01-15T10:00:00Z``, with a fraction of a second of any length or none.
The window's bounds are whole seconds written without the ``Z``: so ``2024-01-15T10:00:00`` sorts before
``…10:00:00.5Z`` and before ``…10:00:00Z`` alike, and a comparison of text is one of time.
"""

import re
from datetime import date
from functools import lru_cache
from string import ascii_letters, punctuation
from typing import Any, Final, Literal

from etl.model.rejection import RejectedError, UntimedError
from etl.model.schema import TIME
from etl.values.attribute_values import Record, type_name

_A_TIME = "expected a time in UTC such as 2024-01-15T10:00:00Z"
_SHAPE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z"
_SHAPES = re.compile(rf"(?:{_SHAPE}\n)*+")

# What no time has: a letter for a digit, O for 0 or l for 1, and other separators.
_NO_TIMES = {f":no{n}": sign for n, sign in enumerate(sorted({*ascii_letters, *punctuation, " "} - {*"TZ-:."}))}
# Signs that a timestamp isn't a time, wherever it sorts: these items come along with every window.
_NO_TIME = (
    "attribute_not_exists(#time)",
    "NOT attribute_type(#time, :string)",
    "size(#time) < :shortest",
    "#time < :first",
    *(f"NOT contains(#time, :{name})" for name in ("dash", "t", "colon", "z")),
    "(size(#time) > :shortest AND NOT contains(#time, :dot))",
    *(f"contains(#time, {name})" for name in _NO_TIMES),
)

AHEAD: Final = "ahead"
"""The verdict on a time at or after the run's own start: a later run's."""
Verdict = RejectedError | Literal["ahead"] | None


def window_filter(start: str, end: str, now: str) -> dict[str, Any]:
    """The part of a Scan request that picks the items of ``[start, end)``, and those that no window would find.

    A text that isn't a time still sorts somewhere. Below ``now`` it sorts into a window, whose run sets it aside. At or
    above it no window might ever reach it: so these come along, and the times among them are left to their runs.

    Args:
        start: first instant of the window, ``2024-01-15T00:00:00Z``.
        end: first instant after it, not after ``now``.
        now: when the run started; a fraction of a second is cut off.
    """
    texts = {
        ":start": start.removesuffix("Z"),
        ":end": end.removesuffix("Z"),
        ":now": _bound(now),
        ":string": "S",
        ":first": "0001-01-01T00:00:00",
        ":dash": "-",
        ":t": "T",
        ":colon": ":",
        ":z": "Z",
        ":dot": ".",
        **_NO_TIMES,
    }
    picked = ("(#time >= :start AND #time < :end)", "#time >= :now", *_NO_TIME)
    return {
        "FilterExpression": " OR ".join(picked),
        "ExpressionAttributeNames": {"#time": TIME},  # a reserved word of DynamoDB
        "ExpressionAttributeValues": {
            **{name: {"S": text} for name, text in texts.items()},
            ":shortest": {"N": str(len("2024-01-15T10:00:00Z"))},
        },
    }


def _bound(now: str) -> str:
    """The whole second of an instant without its suffix, which sorts before each time of that second."""
    return now[: len("2024-01-15T10:00:00")]


def check_timestamps(records: list[Record], now: str) -> list[Verdict]:
    """Check the timestamps of records, which a run that started at ``now`` has read.

    Returns:
        For each why it isn't a time, ``AHEAD`` for one that is a later run's, None for one of this run's.
    """
    try:
        texts = [record[TIME] for record in records]
        timed = _all_times(texts) and max(texts, default="") < _bound(now)
    except (KeyError, TypeError):  # one has none, or none that is text
        timed = False
    return [None] * len(records) if timed else [_breach(record) or _ahead(record, now) for record in records]


def _ahead(record: Record, now: str) -> Literal["ahead"] | None:
    return AHEAD if record[TIME] >= _bound(now) else None


def _all_times(texts: list[str]) -> bool:
    """Whether each of these texts is a time: one match of all, since it is asked for every item there is."""
    lines = "\n".join((*texts, ""))
    # A text with a line break of its own would pass for two.
    shaped = lines.count("\n") == len(texts) and _SHAPES.fullmatch(lines) is not None
    return shaped and all(map(_is_date, {text[:10] for text in texts}))


def _breach(record: Record) -> UntimedError | None:
    if TIME not in record:
        return UntimedError("is missing", field=TIME)
    value = record[TIME]
    if not isinstance(value, str):
        return UntimedError(_A_TIME, field=TIME, got=f"an attribute of type {type_name(value)}")
    return None if _all_times([value]) else UntimedError(_A_TIME, field=TIME, got=repr(value[:40]))


@lru_cache(maxsize=4096)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
