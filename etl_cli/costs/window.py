"""The window that a run would have: the rules of the function that plans it, which is asked for nothing here.

They are those of runtime/etl/model/windows.py, and a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import count, format_instant, parse_instant


@dataclass(frozen=True, kw_only=True)
class WindowRules:
    """The settings that decide about a window.

    Attributes:
        lookback: length of the window of a run that isn't given one.
        lateness: how much further back that window reaches, for what arrived late.
        catch_up: the longest time that a run catches up on.
    """

    lookback: timedelta
    lateness: timedelta
    catch_up: timedelta


@dataclass(frozen=True)
class PlannedWindow:
    """A window, and why it is that one, in words."""

    span: Span
    why: str


def hours(span: Span) -> float:
    """The length of a window."""
    return (span.end - span.start) / timedelta(hours=1)


def planned_window(
    given: Mapping[str, Any], rules: WindowRules, watermark: datetime | None, now: datetime, etl: EtlLines
) -> PlannedWindow:
    """The window of a run that starts now.

    Args:
        given: the execution's input: ``start`` and ``end``, ``lookback_hours``, or nothing.
        rules: the deployed settings.
        watermark: up to where nothing is missing; None before the first scheduled run.
        now: the present.
        etl: makes lines of this command.

    Raises:
        UserError: more is missing than a run catches up on.
    """
    if "start" in given:
        return PlannedWindow(Span(parse_instant(given["start"]), parse_instant(given["end"])), "as asked for")
    latest = now.replace(microsecond=0)
    if "lookback_hours" in given:
        hours = given["lookback_hours"]
        return PlannedWindow(
            Span(latest - timedelta(hours=hours), latest), f"the last {count(hours, 'hour')}, as asked for"
        )
    due, why = latest - rules.lookback, f"the last {count(rules.lookback // timedelta(hours=1), 'hour')}"
    if watermark is not None and watermark < due:
        due, why = watermark, "all since the watermark"
        if latest - watermark > rules.catch_up:
            raise _too_much(Span(watermark, latest), rules.catch_up, etl)
    late = rules.lateness // timedelta(minutes=1)
    return PlannedWindow(Span(due - rules.lateness, latest), why + (f", and {late} min for late items" if late else ""))


def _too_much(missing: Span, catch_up: timedelta, etl: EtlLines) -> UserError:
    start, end = (format_instant(instant) for instant in missing)
    return UserError(
        f"The watermark is at {start}, longer ago than the {catch_up.days} days that a run catches up on: "
        "a run without a window of its own would fail with CatchUpError.",
        f"Plan what is missing: {etl.line('plan', '--start', start, '--end', end)}",
    )
