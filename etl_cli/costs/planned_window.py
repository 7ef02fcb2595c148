"""The window of a run that hasn't begun, by the rules of the function that plans it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from etl.model.errors import CatchUpError
from etl.model.instants import format_instant
from etl.model.windows import WindowRules, resolve_window
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import plural
from etl_cli.terminal.times import Span

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class PlannedWindow:
    """A window, and the reason for it in words."""

    span: Span
    why: str


def hours(span: Span) -> float:
    """The length of a window."""
    return (span.end - span.start) / _HOUR


def planned_window(
    given: Mapping[str, Any], rules: WindowRules, watermark: datetime | None, now: datetime, etl: EtlLines
) -> PlannedWindow:
    """The window of a run that starts now with the given input.

    Raises:
        UserError: a run may not catch up on so much.
    """
    try:
        window = resolve_window(given, started_at=now, rules=rules, watermark=lambda: watermark)
    except CatchUpError:
        missing = [format_instant(each) for each in (watermark, now.replace(microsecond=0)) if each]
        raise UserError(
            f"The watermark is at {missing[0]}. A run catches up on {rules.catch_up.days} days at most: "
            "without a window of its own it would fail with CatchUpError.",
            f"Plan the missing time: {etl.line('plan', '--start', missing[0], '--end', missing[-1])}",
        ) from None
    return PlannedWindow(Span(window.start, window.end), _why(given, rules, watermark, now))


def _why(given: Mapping[str, Any], rules: WindowRules, watermark: datetime | None, now: datetime) -> str:
    if "start" in given:
        return "as asked for"
    if "lookback_hours" in given:
        return f"the last {plural(given['lookback_hours'], 'hour')}, as asked for"
    why = f"the last {plural(rules.lookback // _HOUR, 'hour')}"
    if watermark is not None and watermark < now.replace(microsecond=0) - rules.lookback:
        why = "all since the watermark"
    late = rules.lateness // _MINUTE
    return why + (f", and {late} min for late items" if late else "")
