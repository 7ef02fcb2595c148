"""`etl run`: starts a run of a window and follows it to its report."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from etl.model.instants import parse_instant
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.render.live_run import console_of_progress, follow_to_end
from etl_cli.runs.history import execution_name
from etl_cli.terminal.console import print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import plural
from etl_cli.terminal.time_options import End, Lookback, Start, execution_input
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb


@verb(
    examples=("etl run", "etl run --start 2026-11-01 --end 2026-11-02", "etl run --lookback 48 --no-follow"),
    exits={0: "the run succeeded, or was only started (--no-follow)", 130: "interrupted; the run goes on"},
)
def run(  # noqa: PLR0913 - each is an option
    *,
    start: Start = None,
    end: End = None,
    lookback: Lookback = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Follow the run to its end, or only start it.")
    ] = True,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Start a run, show its progress, and print its report.

    Without a window the run takes the schedule's: the last day, or all time since the watermark if that is longer.
    Ctrl-C ends the command, not the run.
    """
    given = execution_input(start, end, lookback, datetime.now(UTC))
    lines, times = EtlLines(profile, region), Times(local_time)
    with connected(profile, region) as deployment:
        execution = deployment.start(run_name("run"), given)
        name = execution_name(execution)
        console = console_of_progress(as_json=as_json)
        console.print(f"  Execution  {name}", soft_wrap=True)
        console.print(f"  Window     {_asked(given, times)}", soft_wrap=True)
        if follow:
            console.print()
            follow_to_end(deployment, execution, lines, times, as_json=as_json)
        elif as_json:
            print_json({"status": "started", "execution": execution, "name": name, "input": given})
        else:
            console.print(f"  Watch it   {lines.line('watch', name)}", soft_wrap=True)


def run_name(prefix: str) -> str:
    """A unique name for an execution, with its origin and its time."""
    return f"{prefix}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def _asked(given: Mapping[str, Any], times: Times) -> str:
    """The window in an execution's input, in words."""
    if "start" in given:
        return times.window(parse_instant(given["start"]), parse_instant(given["end"]))
    if "lookback_hours" in given:
        return f"the last {plural(given['lookback_hours'], 'hour')}"
    return "the schedule's: the last day, or all since the watermark"
