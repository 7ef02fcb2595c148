"""Asks before a backfill starts so many runs that somebody may have typed another length than was meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl_cli.costs.cost import money
from etl_cli.costs.deployed import read_deployed
from etl_cli.costs.planning import make_plan
from etl_cli.costs.prices import price_list
from etl_cli.costs.window import PlannedWindow
from etl_cli.costs.workload import telling
from etl_cli.runs.ledger import Entry
from etl_cli.summary.backfill_windows import Planned
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.words import count, duration

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

MOST_UNASKED = 100


def confirm(
    console: Terminal,
    pipeline: Pipeline,
    entries: Sequence[Entry],
    planned: Sequence[Planned],
    parallel: int,
    line: str,
) -> None:
    """Ask before more than `MOST_UNASKED` windows are run.

    Args:
        console: where to say what they take.
        pipeline: where to run them.
        entries: all of the ledger.
        planned: all windows of the backfill.
        parallel: how many run at once.
        line: the line that runs them without a question.

    Raises:
        UserError: there are so many, and nobody to ask.
        typer.Abort: they are not to be run.
    """
    windows = [each for each in planned if not each.done]
    if len(windows) <= MOST_UNASKED:
        return
    runs = f"{count(len(windows), 'run')}, each of which reads the whole table"
    console.print(f"  That is {runs}{_forecast(pipeline, entries, windows, parallel)}.", soft_wrap=True)
    if not can_ask():
        raise UserError(
            f"More than {MOST_UNASKED} windows are run only after a question, and here is no terminal to ask at. "
            "Nothing was started.",
            "Give a longer --step. To run them all the same:",
            remedy_lines=[line],
        )
    typer.confirm("Run them?", abort=True, err=True)


def can_ask() -> bool:
    """Whether somebody can answer."""
    return sys.stdin.isatty()


def _forecast(pipeline: Pipeline, entries: Sequence[Entry], windows: Sequence[Planned], parallel: int) -> str:
    """About what they take and cost, as `etl plan` says it of the first; empty where that can't be known."""
    now = datetime.now(UTC)
    try:
        deployed = read_deployed(pipeline)
    except (BotoCoreError, ClientError, UserError):  # they may be allowed less than to run it
        return ""
    first = PlannedWindow(windows[0].window, "")
    each = make_plan(first, deployed, telling(entries, now), price_list(deployed.region), now).outlook
    seconds, dollars = each.found.seconds * len(windows) / parallel, each.cost.total * len(windows)
    return f": about {duration(seconds)} and {money(dollars)} in all"
