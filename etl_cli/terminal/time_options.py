"""Options for times and windows, and the execution's input that they make."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from etl.model.errors import InputError
from etl.model.instants import InstantError, parse_instant
from etl.model.windows import Window, check_window
from etl_cli.terminal.times import Span

_LENGTH = re.compile(r"([0-9]{1,6})([a-z]+)")
# No M: to some it is a month, to others a minute.
_UNITS = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_LENGTHS = "a whole number with min, h, d or w for minutes, hours, days or weeks, such as 30min, 6h, 1d or 2w"
_MOST_HOURS = 24 * 366 * 100


def parse_time(text: str) -> datetime:
    """Parse an instant by the rules for an execution's input.

    Raises:
        typer.BadParameter: it is no date, and no date and time with a zone.
    """
    try:
        return parse_instant(text)
    except InstantError as error:
        raise typer.BadParameter(f"{text!r} {error.problem}: {error.remedy}.") from None


def time_option(text: str, *names: str) -> typer.models.OptionInfo:
    """An option for an instant, with its help, and its names if they differ from the parameter's."""
    option: typer.models.OptionInfo = typer.Option(*names, metavar="TIME", parser=parse_time, help=text)
    return option


Start = Annotated[datetime | None, time_option("Start of the window, such as 2026-11-01 or 2026-11-01T02:00Z.")]
End = Annotated[datetime | None, time_option("End of the window, which it doesn't include; it must have passed.")]
Lookback = Annotated[
    int | None,
    typer.Option(
        metavar="HOURS", min=1, max=_MOST_HOURS, help="Length of a window that ends now, instead of --start and --end."
    ),
]


def checked_span(start: datetime, end: datetime, now: datetime, names: tuple[str, str] = ("--start", "--end")) -> Span:
    """The window of two options, in UTC.

    Raises:
        typer.BadParameter: it isn't on whole seconds, is empty, or hasn't passed yet.
    """
    try:
        check_window(Window(start, end), now, names)
    except InputError as error:
        raise typer.BadParameter(f"{error}.") from None
    return Span(start, end)


def execution_input(
    start: datetime | None, end: datetime | None, lookback: int | None, now: datetime
) -> dict[str, Any]:
    """The execution's input for the given window; empty to let Plan choose one.

    Raises:
        typer.BadParameter: the options don't fit together, or make no window.
    """
    if lookback is not None:
        if start or end:
            raise typer.BadParameter("give either this, or --start and --end.", param_hint="--lookback")
        return {"lookback_hours": lookback}
    if start is None and end is None:
        return {}
    if start is None or end is None:
        given, missing = ("--start", "--end") if start else ("--end", "--start")
        raise typer.BadParameter(f"a window needs {missing} too.", param_hint=given)
    return checked_span(start, end, now).document()


def since_option(action: str) -> typer.models.OptionInfo:
    """The option --since; its help begins with an action, such as ``Show runs that started``."""
    option: typer.models.OptionInfo = typer.Option(
        "--since",
        metavar="TIME",
        parser=parse_since,
        help=f"{action} from this time on: 2026-11-01, 2026-11-01T02:00Z, or a time ago such as 90min, 2h or 7d.",
    )
    return option


def parse_since(text: str) -> datetime:
    """Parse an instant, or a time ago such as ``2h``.

    Raises:
        typer.BadParameter: it is neither.
    """
    ago = _length(text)
    try:
        return parse_time(text) if ago is None else datetime.now(UTC).replace(microsecond=0) - ago
    except OverflowError:
        raise typer.BadParameter(f"{text!r} ago is before the first year.") from None
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{error.message} Or write a time ago: {_LENGTHS}.") from None


def parse_length(text: str, name: str) -> timedelta:
    """Parse a length of time, such as ``1d``, ``6h`` or ``30min``.

    Raises:
        typer.BadParameter: it isn't one; the message names the option.
    """
    found = _length(text)
    if not found:
        raise typer.BadParameter(f"{text!r} is no length of time: write {_LENGTHS}.", param_hint=name)
    return found


def _length(text: str) -> timedelta | None:
    found = _LENGTH.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found and found[2] in _UNITS else None
