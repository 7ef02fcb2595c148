"""The options with which a command is told a time or a window, and the execution's input that they make."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from etl_cli.times import Span
from etl_cli.wording import format_instant

TIME_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_MOST_HOURS = 24 * 366 * 100

Start = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME", formats=TIME_FORMATS, help="First instant, such as 2026-11-01 or 2026-11-01T02:00:00Z."
    ),
]
End = Annotated[
    datetime | None, typer.Option(metavar="TIME", formats=TIME_FORMATS, help="First instant behind it; has passed.")
]
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
        typer.BadParameter: it is empty, or hasn't passed yet.
    """
    span = Span(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
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
        help=f"{what} from here on: 2026-11-01, 2026-11-01T02:00:00Z, or how long ago: 90m, 2h, 7d.",
    )
    return option


def parse_since(text: str) -> datetime:
    """An instant as a person types it: a day or an instant in UTC, or how long ago, such as ``2h``.

    Raises:
        typer.BadParameter: it is none of these.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return datetime.now(UTC).replace(microsecond=0) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    for form in TIME_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise typer.BadParameter(f"{text!r} is no time: 2026-11-01, 2026-11-01T02:00:00Z, or how long ago: 90m, 2h, 7d.")
