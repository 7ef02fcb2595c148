"""The time of an item, and the windows in which runs read it. The rules are those of ``etl.tables.change_time``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from etl.model.change_time import ChangeTime
from etl.model.instants import format_instant
from etl.tables.change_time import ABSENT, EVER, Bounds, bounds, rule_of
from etl.values.attribute_values import from_wire
from etl_cli.items.rejections import Rejection
from etl_cli.terminal.times import Span

_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A window of the first second, long ago: its run reads only items that every run reads.
_NO_WINDOW = bounds(EVER[0], EVER[0], EVER[1])


def value_of(time: ChangeTime, line: bytes) -> Any:
    """The value of the time in an item of DynamoDB JSON, ``ABSENT`` if there is none; the rest isn't decoded."""
    found = _attributes(line).get(time.path[0])
    if found is None:
        return ABSENT
    (record,) = from_wire(msgspec.json.encode([{time.path[0]: found}]))
    return rule_of(time).value(record)


def untimed(time: ChangeTime, value: Any) -> Rejection | None:
    """The reason why a value isn't a time; None if it is one, or if the table has no times."""
    if time.format == "none" or rule_of(time).span(value):
        return None
    return Rejection.of(rule_of(time).untimed(value))


def span_of(time: ChangeTime, value: Any) -> Span | None:
    """The first and the last second of a value; None if it isn't a time."""
    found = rule_of(time).span(value)
    if found is None:
        return None
    first, last = (min(max(second, _NO_WINDOW.start), _NO_WINDOW.now) for second in found)  # as far as Python counts
    return Span(_EPOCH + timedelta(seconds=first), _EPOCH + timedelta(seconds=last))


def is_read_in(time: ChangeTime, value: Any, window: Span, started: datetime) -> bool:
    """Whether the run of a window reads an item as one of its own. A value that isn't a time is read, too."""
    return rule_of(time).takes(value, _bounds(window, started))


def is_read_by_all(time: ChangeTime, value: Any) -> bool:
    """Whether each run reads an item with this value."""
    return rule_of(time).takes(value, _NO_WINDOW)


def smallest_window(instant: datetime) -> Span:
    """The second that holds an instant."""
    second = instant.replace(microsecond=0)
    return Span(second, second + timedelta(seconds=1))


def in_words(time: ChangeTime, span: Span | None) -> str:
    """The meaning of a time that isn't written in UTC, and the runs that read it; empty if it needs no words."""
    if time.format == "none":
        return "the table has no change time: each run reads each item"
    if span is None or time.format == "iso":
        return ""
    first, last = map(format_instant, span)
    if time.format == "date":
        return "a whole day in UTC: each run whose window has a part of that day reads it, so two runs in a row may"
    meant = first if first == last else f"{first} to {last}"
    if time.format == "iso_local" and last > first and (span.end - span.start) >= timedelta(hours=1):
        return f"{meant}: clocks of {time.zone} changed, so it may be either, and each run of either reads it"
    return f"{meant}, by the clocks of {time.zone}" if time.format == "iso_local" else meant


def _bounds(window: Span, started: datetime) -> Bounds:
    return bounds(*map(format_instant, (*window, started)))
