"""`etl gaps`: periods that no run has covered, and the commands that fill them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer

from etl.model.instants import format_instant
from etl_cli.aws.cli_lines import aws
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.aws.deployed_schema import may_read_all
from etl_cli.runs.coverage import EARLIEST, OVERDUE_HOURS, Coverage, find_coverage, of_whole_table
from etl_cli.runs.ledger import Watermark, read_ledger
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED
from etl_cli.terminal.formats import duration, plural
from etl_cli.terminal.grid import readable
from etl_cli.terminal.time_options import since_option
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.typer_app import verb

Fill = Callable[[Span], tuple[str, str]]


@verb(
    examples=("etl gaps", "etl gaps --json", "etl gaps --since 2026-11-01"),
    exits={0: "no gaps", 1: "gaps, or an error"},
)
def gaps(
    as_json: AsJson = False,
    since: Annotated[datetime | None, since_option("Look")] = None,
    overdue_hours: Annotated[
        int,
        typer.Option(min=1, max=8784, help="Hours after which time without a run counts as a gap."),
    ] = OVERDUE_HOURS,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """List periods that no run has covered. For each, print two commands; either one fills it.

    The list covers all time since the first scheduled run, and the windows of runs that failed. Time after the last
    run becomes a gap after --overdue-hours.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    with connected(profile, region) as deployment:
        runs, watermark = read_ledger(deployment.dynamodb, deployment.names, now)
        whole = may_read_all(deployment)
    runs = of_whole_table(runs) if whole else runs
    coverage = find_coverage(runs, watermark, now, timedelta(hours=overdue_hours), since or EARLIEST)
    etl = EtlLines(profile, region)
    fill = partial(fill_lines, deployment.state_machine, etl)
    if as_json:
        print_json(coverage_document(fill, coverage, watermark))
    else:
        print_coverage(fill, coverage, watermark, Times(local_time))
        if whole:
            _print_text(f"The source table has no change time, so a run covers all time before it: {etl.line('run')}")
    if coverage.gaps:
        raise typer.Exit(EXIT_FAILED)


def fill_lines(state_machine: str, etl: EtlLines, span: Span) -> tuple[str, str]:
    """The lines that run a window: one of this command, and one of the AWS CLI."""
    window = dict(zip(("start", "end"), map(format_instant, span), strict=True))
    words = ("stepfunctions", "start-execution", "--state-machine-arn", state_machine, "--input", json.dumps(window))
    return etl.run(span), aws(*words, options=etl.options)


def coverage_document(fill: Fill, coverage: Coverage, watermark: Watermark | None) -> dict[str, Any]:
    """The coverage for programs."""

    def document(span: Span) -> dict[str, str]:
        start, end = map(format_instant, span)
        etl_line, aws_line = fill(span)
        return {"start": start, "end": end, "etl_command": etl_line, "command": aws_line}

    return {
        "watermark": format_instant(watermark.end) if watermark else None,
        "gaps": [document(gap) for gap in coverage.gaps],
        "pending": document(coverage.pending) if coverage.pending else None,
        "behind": document(coverage.behind) if coverage.behind else None,
    }


def print_coverage(fill: Fill, coverage: Coverage, watermark: Watermark | None, times: Times) -> None:
    """Print the gaps and the watermark."""
    out.print(f"{plural(len(coverage.gaps), 'gap')}." if coverage.gaps else "No gaps.")
    for gap in coverage.gaps:
        length = duration((gap.end - gap.start).total_seconds())
        out.print()
        out.print(f"  {times.window(gap.start, gap.end)}  ({length})")
        _print_lines(fill, gap)
    if not watermark:
        out.print()
        out.print("The schedule has not run yet.")
        return
    out.print()
    _print_text(
        f"Watermark: {times.instant(watermark.end)}. The next scheduled run continues from there, unless that is "
        "longer ago than catch_up_days."
    )
    if coverage.behind:
        _print_text(
            f"All time is covered up to {times.instant(coverage.behind.end)}, by runs out of order. "
            "The watermark moves there when one run covers it all:"
        )
        _print_lines(fill, coverage.behind)


def _print_text(text: str) -> None:
    for line in readable(out, text):
        out.print(line)


def _print_lines(fill: Fill, span: Span) -> None:
    etl_line, aws_line = fill(span)
    out.print(f"    {etl_line}")
    out.print(f"    {aws_line}", style="dim")
