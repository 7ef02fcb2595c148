"""Windows of time: half-open, ``[start, end)``, in UTC and on whole seconds.

Whole seconds make the comparison with an item's timestamp a comparison of text. DynamoDB can do that, and a fraction of
any length sorts to the right side of a bound. See ``docs/design.md``.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from etl.model.errors import CatchUpError, InputError, Reason
from etl.model.instants import InstantError, format_instant, parse_instant

# The time of an event and the start of the execution come from two clocks of AWS, which may differ by this much.
CLOCK_SKEW = timedelta(minutes=5)
# The stack's rule stops delivering an event after this time.
LATEST_DELIVERY = timedelta(hours=2)

_INPUT_FIELDS = ("start", "end", "lookback_hours", "replay")
_RUN = re.compile(r"[0-9]{8}T[0-9]{9}Z")
# Fields of an event as EventBridge delivers it. Source: EventBridge User Guide, "Event structure reference".
_EVENT_FIELDS = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
_MOST_NAMED = 5
_EXAMPLES = (
    '{}  or  {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}  or  {"lookback_hours": 48}  or  '
    '{"replay": "20240116T020000123Z"}'
)


@dataclass(frozen=True)
class Window:
    """The half-open window ``[start, end)``, in UTC and on whole seconds.

    Attributes:
        start: first instant.
        end: first instant after it.
        first_watermark: the first position of the watermark, if there is none yet; None for a window that was asked
            for.
    """

    start: datetime
    end: datetime
    first_watermark: datetime | None = None

    @property
    def start_text(self) -> str:
        """The start as text: ``2026-11-22T01:45:00Z``."""
        return format_instant(self.start)

    @property
    def end_text(self) -> str:
        """The end as text: ``2026-11-23T02:00:00Z``."""
        return format_instant(self.end)


class WindowRules(NamedTuple):
    """The lengths of windows.

    Attributes:
        lookback: length of the window if the input gives none.
        lateness: how much further back that window reaches, for items that arrived late.
        catch_up: the longest period that a run catches up on.
        event_window: the longest window that an event may ask for. A program with the permission to put events can send
            one. An execution that a person starts may ask for more.
    """

    lookback: timedelta
    lateness: timedelta
    catch_up: timedelta
    event_window: timedelta


def is_event(given: Mapping[str, Any]) -> bool:
    """Whether an execution's input is an event of EventBridge, or a rule's extract of one."""
    return "detail" in given or "time" in given


def requested_replay(given: Any) -> str | None:
    """The id of the run whose quarantine an execution's input asks for; None if the input asks for a window.

    Args:
        given: the input, ``{"replay": "20240116T020000123Z"}``, or an event of EventBridge with that as its detail.

    Raises:
        InputError: there is another field too, or the value isn't the id of a run.
    """
    if not isinstance(given, Mapping):
        return None
    fields: Mapping[str, Any] = _event_detail(given) if "detail" in given else given
    if "replay" not in fields:
        return None
    if len(fields) > 1:
        raise InputError("replay can't be combined with other fields: the window is that of the run that it names")
    run = fields["replay"]
    if not isinstance(run, str) or not _RUN.fullmatch(run):
        raise InputError(f"replay must be the id of a run, such as 20240116T020000123Z, got {_shown(run)}")
    return run


def resolve_window(
    given: Any, *, started_at: datetime, rules: WindowRules, watermark: Callable[[], datetime | None]
) -> Window:
    """The window that an execution's input asks for; if it asks for none, the period that no run has covered.

    Args:
        given: the input: ``{}``, ``{"start", "end"}``, ``{"lookback_hours"}``, or an event of EventBridge
            (whole, or its ``time`` and ``detail``) whose detail has these fields.
        started_at: the start of the execution.
        rules: the lengths of windows.
        watermark: returns the end of the period without gaps; None before the first scheduled run.

    Raises:
        InputError: the input has another shape, an unknown field, or a value that isn't allowed.
        CatchUpError: the missing period is longer than a run may catch up on.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"the input must be a JSON object, got {_shown(given)}; examples: {_EXAMPLES}")
    now, longest = started_at, None
    if is_event(given):
        now, longest = _event_time(given, started_at), rules.event_window
        given = _event_detail(given)
    _refuse_unknown(given, _INPUT_FIELDS)
    latest = now.replace(microsecond=0)
    if "lookback_hours" in given:
        if "start" in given or "end" in given:
            raise InputError("lookback_hours can't be combined with start and end: give one or the other")
        asked = Window(latest - _hours(given["lookback_hours"], latest), latest)
        return _within(longest, check_window(asked, started_at))
    if "start" in given or "end" in given:
        return _within(longest, check_window(_explicit(given), started_at))
    try:
        due = _due(latest, rules, watermark())
        # An event of long ago doesn't set the watermark: all runs after it would have too much to catch up on.
        recent = started_at - now <= LATEST_DELIVERY
        first_watermark = due if recent else max(due, started_at.replace(microsecond=0) - rules.lookback)
        return check_window(Window(due - rules.lateness, latest, first_watermark), started_at)
    except OverflowError:
        raise InputError(f"time is too early for a window: {format_instant(latest)}") from None


def check_window(window: Window, now: datetime, names: tuple[str, str] = ("start", "end")) -> Window:
    """Check that a window is on whole seconds, isn't empty and has passed.

    Args:
        window: the window.
        now: the present.
        names: the names of its start and end, for messages.

    Raises:
        InputError: the window isn't allowed.
    """
    start, end = names
    for name, instant in ((start, window.start), (end, window.end)):
        if instant.microsecond:
            raise InputError(
                f"{name} must be on a whole second, got {format_instant(instant)}; "
                f"write {format_instant(instant.replace(microsecond=0))}"
            )
    if window.start >= window.end:
        raise InputError(f"{start} must be before {end}, got {start} {window.start_text} and {end} {window.end_text}")
    if window.end > now:
        raise InputError(
            f"{end} is in the future: {window.end_text}, and now is {format_instant(now)}; "
            "choose an end that has passed, since the run would miss items that arrive before it"
        )
    return window


def _due(latest: datetime, rules: WindowRules, watermark: datetime | None) -> datetime:
    """The start of the missing period: the lookback, or the watermark if that is longer ago."""
    due = latest - rules.lookback
    if watermark is None or watermark >= due:
        return due
    if latest - watermark > rules.catch_up:
        raise CatchUpError(format_instant(watermark), format_instant(latest), rules.catch_up.days)
    return watermark


def _event_time(event: Mapping[str, Any], started_at: datetime) -> datetime:
    _refuse_unknown(event, _EVENT_FIELDS)
    if "time" not in event:
        return started_at
    instant = _instant("time", event["time"])
    if instant > started_at + CLOCK_SKEW:
        raise InputError(
            f"time is in the future: {format_instant(instant)}, and the execution started at "
            f"{format_instant(started_at)}; send the event without a time of its own"
        )
    return min(instant, started_at)


def _event_detail(event: Mapping[str, Any]) -> Mapping[str, Any]:
    detail = event.get("detail", {})
    if not isinstance(detail, Mapping):
        raise InputError(f"detail must be a JSON object, got {_shown(detail)}; examples: {_EXAMPLES}")
    fields = dict(detail)
    action = fields.pop("action", "start")
    if action != "start":
        raise InputError(f'detail.action must be "start", got {_shown(action)}')
    return fields


def _explicit(given: Mapping[str, Any]) -> Window:
    for name, other in (("start", "end"), ("end", "start")):
        if name not in given:
            raise InputError(f"{other} needs {name} too: a window has both")
    start, end = (_instant(name, given[name]) for name in ("start", "end"))
    return Window(start, end)


def _instant(name: str, value: Any) -> datetime:
    if not isinstance(value, str):
        raise InputError(f"{name} must be an ISO 8601 time as text, such as 2024-01-15T10:00:00Z, got {_shown(value)}")
    try:
        return parse_instant(value)
    except InstantError as error:
        raise InputError(f"{name} {error.problem}: {_shown(value)}; {error.remedy}") from None


def _hours(value: Any, latest: datetime) -> timedelta:
    most = int((latest - datetime.min.replace(tzinfo=UTC)).total_seconds() // 3600)
    # In Python, bool is an int, but true is no number of hours.
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InputError(f"lookback_hours must be a whole number of hours from 1 to {most}, got {_shown(value)}")
    return timedelta(hours=value)


def _within(longest: timedelta | None, window: Window) -> Window:
    if longest is not None and window.end - window.start > longest:
        raise InputError(
            f"the window from {window.start_text} to {window.end_text} is longer than the {longest.days} days that an "
            "event may ask for (EVENT_WINDOW_DAYS); start an execution with this window, or send several events",
            Reason.EVENT_WINDOW,
        )
    return window


def _refuse_unknown(given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = sorted(str(name) for name in given if name not in allowed)
    if unknown:
        named = ", ".join(map(_shown, unknown[:_MOST_NAMED]))
        more = f" and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
        raise InputError(f"unknown field {named}{more}: allowed are {', '.join(allowed)}; examples: {_EXAMPLES}")


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, default=str)
    except (RecursionError, ValueError):  # too many levels or digits for Python
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= 80 else text[:77] + "..."
