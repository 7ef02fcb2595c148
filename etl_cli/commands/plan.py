"""`etl plan`: the time and cost of a run before it begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.aws.deployed_schema import deployed_schema
from etl_cli.costs.deployed import read_deployed
from etl_cli.costs.planned_window import planned_window
from etl_cli.costs.planning import make_plan
from etl_cli.costs.prices import price_list
from etl_cli.costs.workload import representative_runs
from etl_cli.render.plan import plan_document, print_plan
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED
from etl_cli.terminal.time_options import End, Lookback, Start, execution_input
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb


@verb(
    examples=(
        "etl plan",
        "etl plan --start 2026-11-01 --end 2026-11-08",
        "etl plan --lookback 48 --json",
        "etl plan --region eu-west-1 --prices mine.toml",
    ),
    exits={0: "it fits the time of a run", 1: "it doesn't fit, or an error"},
)
def plan(  # noqa: PLR0913 - each is an option
    *,
    start: Start = None,
    end: End = None,
    lookback: Lookback = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="A file with your prices, in the shape of etl_cli/costs/prices.toml."
        ),
    ] = None,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Estimate the time and cost of a run before it begins.

    The plan has the run's window, the items that it will find there, its time by stage, and dollars by service.
    If the run doesn't fit its time, the plan has the commands that make it fit.

    It writes nothing, and costs a few reads of the ledger.
    """
    now = datetime.now(UTC)
    given = execution_input(start, end, lookback, now)
    with connected(profile, region) as deployment:
        deployed = replace(read_deployed(deployment), schema=deployed_schema(deployment))
        entries, watermark = read_ledger(deployment.dynamodb, deployment.names, now)
    etl = EtlLines(profile, region)
    window = planned_window(given, deployed.rules, watermark.end if watermark else None, now, etl)
    made = make_plan(window, deployed, representative_runs(entries, now), price_list(deployed.region, prices), now)
    if as_json:
        print_json(plan_document(made, etl))
    else:
        print_plan(out, made, Times(local_time), etl)
    if made.problems:
        raise typer.Exit(EXIT_FAILED)
