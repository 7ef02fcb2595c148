"""In which windows an item is read, by its timestamp; as Extract asks DynamoDB for it."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from string import ascii_letters, punctuation

from etl_cli.runs.item import Wire
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant

# As runtime/etl/tables/timestamps.py has them.
_SHORTEST = len("2024-01-15T10:00:00Z")
_FIRST = "0001-01-01T00:00:00"
_SIGNS = "-T:Z"
_NO_SIGNS = frozenset({*ascii_letters, *punctuation, " "} - {*"TZ-:."})
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


def is_read_in(window: Span, now: datetime, timestamp: Wire | None, *, is_time: bool) -> bool:
    """Whether a run of a window reads an item with this timestamp as one of its own.

    Args:
        window: on whole seconds.
        now: when the run started.
        timestamp: the attribute's value; None if there is none.
        is_time: whether that is a time; what isn't is read, and set aside.
    """
    text = _text(timestamp)
    if _bound(window.start) <= text < _bound(window.end):
        return True
    return not is_time and (not has_signs_of_time(timestamp) or text >= _bound(now))


def has_signs_of_time(timestamp: Wire | None) -> bool:
    """Whether a timestamp sorts among times; one that doesn't is read, and set aside, by every run."""
    text = _text(timestamp)
    return (
        len(text) >= _SHORTEST
        and text >= _FIRST
        and all(sign in text for sign in _SIGNS)
        and _NO_SIGNS.isdisjoint(text)
        and (len(text) == _SHORTEST or "." in text)
    )


def window_of_text(timestamp: Wire | None) -> Span:
    """The second into whose window a text sorts that has the signs of a time, whether or not it is one."""
    seconds = range((datetime.max.replace(tzinfo=UTC) - _BEGINNING) // timedelta(seconds=1))
    position = bisect_right(
        seconds, _text(timestamp), key=lambda second: _bound(_BEGINNING + timedelta(seconds=second))
    )
    return smallest_window(_BEGINNING + timedelta(seconds=max(0, position - 1)))


def _bound(instant: datetime) -> str:
    return format_instant(instant).removesuffix("Z")


def instant_of(timestamp: Wire | None) -> datetime | None:
    """The instant, to the second; None if it isn't one."""
    try:
        return datetime.strptime(_text(timestamp)[:19] + "Z", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def smallest_window(instant: datetime) -> Span:
    """The smallest window that an item of this instant lies in."""
    return Span(instant, instant + timedelta(seconds=1))


def _text(timestamp: Wire | None) -> str:
    return str((timestamp or {}).get("S", ""))
