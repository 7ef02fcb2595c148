"""In which windows an item is read, by its timestamp; as Extract asks DynamoDB for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etl_cli.item_view import Wire
from etl_cli.times import Span
from etl_cli.wording import format_instant

# As runtime/etl/timestamps.py has them.
_SHORTEST = len("2024-01-15T10:00:00Z")
_FIRST, _LAST = "0001-01-01T00:00:00", "9999-12-31T23:59:60"
_SIGNS = "-T:Z"


def is_read_in(window: Span, timestamp: Wire | None) -> bool:
    """Whether a run of a window reads an item with this timestamp.

    Args:
        window: on whole seconds.
        timestamp: the attribute's value; None if there is none.
    """
    if not has_signs_of_time(timestamp):
        return True
    start, end = (format_instant(instant).removesuffix("Z") for instant in window)
    return start <= _text(timestamp) < end


def has_signs_of_time(timestamp: Wire | None) -> bool:
    """Whether a timestamp sorts into a window; one that doesn't is read, and set aside, by every run."""
    text = _text(timestamp)
    return len(text) >= _SHORTEST and _FIRST <= text < _LAST and all(sign in text for sign in _SIGNS)


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
