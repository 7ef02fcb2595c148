"""The timestamp of an item: the rule for one, and the filter by which DynamoDB picks the items of a window.

A timestamp is ISO 8601 in UTC: ``2024-01-15T10:00:00Z``, with a fraction of a second of any length or none.
The window's bounds are whole seconds written without the ``Z``: so ``2024-01-15T10:00:00`` sorts before
both ``…10:00:00.5Z`` and ``…10:00:00Z``, and DynamoDB's comparison of text is one of time.
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

SHORTEST = len("2024-01-15T10:00:00Z")
FIRST = "0001-01-01T00:00:00"
SIGNS = {"dash": "-", "t": "T", "colon": ":", "z": "Z"}
"""Characters that every time has."""
NO_SIGNS = frozenset({*ascii_letters, *punctuation, " "} - {*"TZ-:."})
"""Characters that no time has: a letter for a digit, O for 0 or l for 1, and other separators."""
_NO_TIMES = {f":no{n}": sign for n, sign in enumerate(sorted(NO_SIGNS))}
# Signs that a timestamp isn't a time, wherever it sorts: every window includes these items.
_NO_TIME = (
    "attribute_not_exists(#time)",
    "NOT attribute_type(#time, :string)",
    "size(#time) < :shortest",
    "#time < :first",
    *(f"NOT contains(#time, :{name})" for name in SIGNS),
    "(size(#time) > :shortest AND NOT contains(#time, :dot))",
    *(f"contains(#time, {name})" for name in _NO_TIMES),
)

AHEAD: Final = "ahead"
"""The verdict on a time at or after the run's own start: it belongs to a later run."""
Verdict = RejectedError | Literal["ahead"] | None


def window_filter(start: str, end: str, now: str) -> dict[str, Any]:
    """The part of a Scan request that picks the items of ``[start, end)``, and the items that no window would find.

    A text that isn't a time still sorts somewhere. Below ``now`` it sorts into a window, and the run of that window
    sets it aside. At or above ``now`` no window might ever reach it, so this filter includes it. Real times among
    these items belong to later runs.

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
        ":first": FIRST,
        **{f":{name}": sign for name, sign in SIGNS.items()},
        ":dot": ".",
        **_NO_TIMES,
    }
    picked = ("(#time >= :start AND #time < :end)", "#time >= :now", *_NO_TIME)
    return {
        "FilterExpression": " OR ".join(picked),
        "ExpressionAttributeNames": {"#time": TIME},  # a reserved word of DynamoDB
        "ExpressionAttributeValues": {
            **{name: {"S": text} for name, text in texts.items()},
            ":shortest": {"N": str(SHORTEST)},
        },
    }


def _bound(now: str) -> str:
    """The whole second of an instant without its suffix. It sorts before each time of that second."""
    return now[: len("2024-01-15T10:00:00")]


def check_timestamps(records: list[Record], now: str) -> list[Verdict]:
    """Check the timestamps of records.

    Args:
        records: the records.
        now: when the run started.

    Returns:
        For each record the reason why it has no time, ``AHEAD`` if it belongs to a later run, None if it passes.
    """
    try:
        texts = [record[TIME] for record in records]
        timed = _all_times(texts) and max(texts, default="") < _bound(now)
    except (KeyError, TypeError):  # a timestamp is missing or isn't text
        timed = False
    return [None] * len(records) if timed else [_breach(record) or _ahead(record, now) for record in records]


def _ahead(record: Record, now: str) -> Literal["ahead"] | None:
    return AHEAD if record[TIME] >= _bound(now) else None


def _all_times(texts: list[str]) -> bool:
    """Whether each of these texts is a time: one match for all of them, since every item is checked."""
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
