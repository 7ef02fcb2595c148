"""The options with which a command is told a time or a window, and the execution's input that they make."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMES = "2026-11-01, 2026-11-01T02:00Z or 2026-11-01T02:00:00+01:00"
_LENGTH = re.compile(r"([0-9]{1,6})([a-z]+)")
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# No M: it is a month to as many as it is a minute to others.
_UNITS = {"m": _MINUTE, "min": _MINUTE, "h": _HOUR, "d": _DAY, "w": 7 * _DAY}
_LENGTHS = "a whole number with min, h, d or w for minutes, hours, days or weeks, such as 30min, 6h, 1d or 2w"
_MOST_HOURS = 24 * 366 * 100


def parse_time(text: str) -> datetime:
    """An instant as a person types it: whatever an execution's input takes too, see ``runtime/etl/model/windows.py``.

    Raises:
        typer.BadParameter: it is no date, and no date and time with a zone.
    """
    try:
        instant = datetime.fromisoformat(text)
        if _DATE.fullmatch(text):
            instant = instant.replace(tzinfo=UTC)
        if instant.tzinfo is None:
            plain = instant.isoformat()
            raise typer.BadParameter(f"{text!r} has no time zone: write {plain}Z for UTC, or {plain}+01:00.")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write {_TIMES}.") from None


def time_option(text: str, *names: str) -> typer.models.OptionInfo:
    """An option that takes an instant.

    Args:
        text: its help.
        names: the option's, where that isn't the parameter's.
    """
    option: typer.models.OptionInfo = typer.Option(*names, metavar="TIME", parser=parse_time, help=text)
    return option


Start = Annotated[datetime | None, time_option("First instant, such as 2026-11-01 or 2026-11-01T02:00Z.")]
End = Annotated[datetime | None, time_option("First instant behind it; has passed.")]
Lookback = Annotated[
    int | None,
    typer.Option(metavar="HOURS", min=1, max=_MOST_HOURS, help="Instead of both: so many hours, up to now."),
]


def checked_span(start: datetime, end: datetime, now: datetime, names: tuple[str, str] = ("--start", "--end")) -> Span:
    """The window that two options give, in UTC.

    Args:
        start: first instant, as typed.
        end: first instant behind it, as typed.
        now: the present.
        names: the options, for the message.

    Raises:
        typer.BadParameter: it isn't on whole seconds, is empty, or hasn't passed yet.
    """
    span = Span(start, end)
    for name, instant in zip(names, span, strict=True):
        if instant.microsecond:
            raise typer.BadParameter(f"it must be on a whole second: {format_instant(instant)}.", param_hint=name)
    if span.start >= span.end:
        raise typer.BadParameter(f"{names[1]} must be later: a window holds the instants between.", param_hint=names[0])
    if span.end > now:
        raise typer.BadParameter(
            f"that is in the future, now is {format_instant(now)}; what arrives before then would be missed.",
            param_hint=names[1],
        )
    return span


def execution_input(
    start: datetime | None, end: datetime | None, lookback: int | None, now: datetime
) -> dict[str, Any]:
    """The execution's input for the window that is asked for; empty for one that Plan chooses.

    Raises:
        typer.BadParameter: the options don't fit together, or the window isn't one.
    """
    if lookback is not None:
        if start or end:
            raise typer.BadParameter("a window is given by it alone, or by --start and --end.", param_hint="--lookback")
        return {"lookback_hours": lookback}
    if start is None and end is None:
        return {}
    if start is None or end is None:
        given, missing = ("--start", "--end") if start else ("--end", "--start")
        raise typer.BadParameter(f"a window needs {missing} too.", param_hint=given)
    span = checked_span(start, end, now)
    return {"start": format_instant(span.start), "end": format_instant(span.end)}


def since_option(what: str) -> typer.models.OptionInfo:
    """The option --since.

    Args:
        what: what the command does with it, such as ``Show runs that started``.
    """
    option: typer.models.OptionInfo = typer.Option(
        "--since",
        metavar="TIME",
        parser=parse_since,
        help=f"{what} from here on: 2026-11-01, 2026-11-01T02:00Z, or how long ago: 90min, 2h, 7d.",
    )
    return option


def parse_since(text: str) -> datetime:
    """An instant as `parse_time` takes it, or how long ago it was, such as ``2h``.

    Raises:
        typer.BadParameter: it is neither.
    """
    ago = _length(text)
    try:
        return parse_time(text) if ago is None else datetime.now(UTC).replace(microsecond=0) - ago
    except OverflowError:
        raise typer.BadParameter(f"{text!r} ago there was no time yet.") from None
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{error.message} How long ago is {_LENGTHS}.") from None


def parse_length(text: str, name: str) -> timedelta:
    """A length of time that an option gives, such as ``1d``, ``6h`` or ``30min``.

    Args:
        text: as typed.
        name: the option, for the message.

    Raises:
        typer.BadParameter: it isn't one.
    """
    found = _length(text)
    if not found:
        message = f"{text!r} is no length of time, which is {_LENGTHS}; months and years vary."
        raise typer.BadParameter(message, param_hint=name)
    return found


def _length(text: str) -> timedelta | None:
    found = _LENGTH.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found and found[2] in _UNITS else None
