"""The windows in which Extract reads an item, by its timestamp. The constants are those of the filter it sends."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from etl.model.instants import format_instant
from etl.model.rejection import RejectedError
from etl.model.schema import TIME
from etl.tables.timestamps import FIRST, NO_SIGNS, SHORTEST, SIGNS, check_timestamps
from etl.values.attribute_values import from_wire
from etl_cli.items.rejections import Rejection
from etl_cli.runs.item_changes import Wire
from etl_cli.terminal.times import Span

EVER = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


def untimed(timestamp: Wire | None) -> Rejection | None:
    """The reason why a timestamp isn't a time; None if it is one."""
    line = msgspec.json.encode({TIME: timestamp} if timestamp else {})
    (verdict,) = check_timestamps(from_wire(b"[" + line + b"]"), EVER[1])
    return Rejection.of(verdict) if isinstance(verdict, RejectedError) else None


def is_read_in(window: Span, started: datetime, timestamp: Wire | None, *, is_time: bool) -> bool:
    """Whether the run of a window reads an item as one of its own. A value that isn't a time is read, and set aside."""
    text = _text(timestamp)
    if _bound(window.start) <= text < _bound(window.end):
        return True
    return not is_time and (not sorts_as_time(timestamp) or text >= _bound(started))


def sorts_as_time(timestamp: Wire | None) -> bool:
    """Whether a timestamp sorts among times. Every run reads the others, and sets them aside."""
    text = _text(timestamp)
    return (
        len(text) >= SHORTEST
        and text >= FIRST
        and all(sign in text for sign in SIGNS.values())
        and NO_SIGNS.isdisjoint(text)
        and (len(text) == SHORTEST or "." in text)
    )


def smallest_window(instant: datetime) -> Span:
    """The second that holds an instant."""
    second = instant.replace(microsecond=0)
    return Span(second, second + timedelta(seconds=1))


def _bound(instant: datetime) -> str:
    return format_instant(instant.replace(microsecond=0)).removesuffix("Z")


def _text(timestamp: Wire | None) -> str:
    return str((timestamp or {}).get("S", ""))
