"""`etl gaps`: which time no run has covered, and the commands that cover it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from etl_cli.commands import Command, window_command
from etl_cli.connection import AsJson, Profile, Region, connected
from etl_cli.console import out, print_json
from etl_cli.coverage import EARLIEST, Coverage, Span, Watermark, find_coverage
from etl_cli.ledger import read_ledger
from etl_cli.wording import count, duration, format_instant, window

EXIT_GAPS = 1


def gaps(
    as_json: AsJson = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"],
            help="Look from here on, such as 2026-11-01 or 2026-11-01T02:00:00Z.",
        ),
    ] = None,
    overdue_hours: Annotated[
        int,
        typer.Option(min=1, max=8784, help="How old the time behind the last run must be to be a gap."),
    ] = 25,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the time that no run has covered, each gap with the command that fills it.

    Looks at all time since the first scheduled run, and at the windows
    of runs that failed. What lies behind the last run is a gap once its beginning is overdue.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    with connected(profile, region) as pipeline:
        runs, watermark = read_ledger(pipeline.dynamodb)
    begin = since.replace(tzinfo=UTC) if since else EARLIEST
    coverage = find_coverage(runs, watermark, now, timedelta(hours=overdue_hours), begin)
    if as_json:
        print_json(coverage_document(pipeline.state_machine, coverage, watermark))
    else:
        print_coverage(pipeline.state_machine, coverage, watermark)
    if coverage.gaps:
        raise typer.Exit(EXIT_GAPS)


def fill_command(state_machine: str, span: Span) -> Command:
    """The line that runs the window of a span."""
    return window_command(state_machine, format_instant(span.start), format_instant(span.end))


def coverage_document(state_machine: str, coverage: Coverage, watermark: Watermark | None) -> dict[str, Any]:
    """What `etl gaps --json` prints."""

    def document(span: Span) -> dict[str, str]:
        return {
            "start": format_instant(span.start),
            "end": format_instant(span.end),
            "command": fill_command(state_machine, span).line,
        }

    return {
        "watermark": format_instant(watermark.end) if watermark else None,
        "gaps": [document(gap) for gap in coverage.gaps],
        "pending": document(coverage.pending) if coverage.pending else None,
        "behind": document(coverage.behind) if coverage.behind else None,
    }


def print_coverage(state_machine: str, coverage: Coverage, watermark: Watermark | None) -> None:
    """Print what `etl gaps` tells people."""
    out.print(f"{count(len(coverage.gaps), 'gap')}." if coverage.gaps else "No gaps.")
    for gap in coverage.gaps:
        length = duration((gap.end - gap.start).total_seconds())
        out.print(f"\n  {window(format_instant(gap.start), format_instant(gap.end))}  ({length})", markup=False)
        out.print(f"    {fill_command(state_machine, gap).line}", markup=False)
    if not watermark:
        out.print("\nThe schedule has not run yet.")
        return
    out.print(
        f"\nWatermark: {_instant(watermark.end)}. The next scheduled run goes on from there, unless that is longer ago "
        "than catch_up_days.",
        markup=False,
    )
    if coverage.behind:
        out.print(
            f"All is covered up to {_instant(coverage.behind.end)}, by windows that were run out of their order. "
            "The watermark follows when one run covers them:",
            markup=False,
        )
        out.print(f"    {fill_command(state_machine, coverage.behind).line}", markup=False)


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
