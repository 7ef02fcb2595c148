"""`etl plan`: what a run would take and cost, before it begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.costs.cost import plain
from etl_cli.costs.deployed import OLDEST_SIZE, read_deployed
from etl_cli.costs.plan_advice import advice_lines, parts_line
from etl_cli.costs.planning import Outlook, Parts, Plan, make_plan
from etl_cli.costs.prices import price_list
from etl_cli.costs.window import planned_window
from etl_cli.costs.workload import telling
from etl_cli.render.plan import print_plan
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.time_options import End, Lookback, Start, execution_input
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import format_instant

EXIT_DOES_NOT_FIT = 1
EXITS = {0: "it fits the time that a run has", EXIT_DOES_NOT_FIT: "it doesn't, or an error"}
EPILOG = (
    "Examples:  etl plan  ·  etl plan --start 2026-11-01 --end 2026-11-08  ·  etl plan --lookback 48 --json  ·  "
    "etl plan --region eu-west-1 --prices mine.toml"
)


def plan(  # noqa: PLR0913 - each is an option
    *,
    start: Start = None,
    end: End = None,
    lookback: Lookback = None,
    prices: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Your prices, in the shape of etl_cli/costs/prices.toml."),
    ] = None,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Say what a run would take and cost, before it begins.

    Its window, what it will find there by the runs before it, its time by stage, what it uses, dollars by service,
    whether it fits the time that a run has, and what would make it fit. Nothing is written, and nothing is asked for
    that costs more than a few reads of the ledger.
    """
    now = datetime.now(UTC)
    given = execution_input(start, end, lookback, now)
    with connected(profile, region) as pipeline:
        deployed = read_deployed(pipeline)
        entries, watermark = read_ledger(pipeline.dynamodb, now)
    etl = EtlLines(profile, region)
    window = planned_window(given, deployed.rules, watermark.end if watermark else None, now, etl)
    made = make_plan(window, deployed, telling(entries, now), price_list(deployed.region, prices), now)
    if as_json:
        print_json(plan_document(made, etl))
    else:
        print_plan(out, made, Times(local_time), etl)
    if made.problems:
        raise typer.Exit(EXIT_DOES_NOT_FIT)


def plan_document(plan: Plan, etl: EtlLines) -> dict[str, Any]:
    """What `etl plan --json` prints."""
    workload, settings, found = plan.expected.workload, plan.outlook.settings, plan.outlook.found
    return {
        "fits": not plan.problems,
        "window": {
            "start": format_instant(plan.window.span.start),
            "end": format_instant(plan.window.span.end),
            "why": plan.window.why,
        },
        "table": {
            "name": plan.source.name,
            "items": plan.source.items,
            "size_bytes": plan.source.size_bytes,
            "oldest_hours": OLDEST_SIZE // timedelta(hours=1),
        },
        "expected": {
            "items": round(workload.read),
            "records": round(workload.records),
            "items_per_hour": None if plan.expected.per_hour is None else round(plan.expected.per_hour, 3),
            "from_runs": plan.expected.runs,
        },
        "segments": found.segments,
        "workers_at_once": min(found.segments, settings.functions_at_once) if plan.room else None,
        "stages": [
            {
                "name": stage.name,
                "seconds": round(stage.seconds, 1),
                "invocations": stage.invocations,
                "bound_by": stage.bound_by,
            }
            for stage in found.stages
        ],
        "seconds": round(found.seconds, 1),
        "timeout_seconds": settings.timeout_seconds,
        "pace": {"times": round(settings.pace, 3), "from_runs": plan.alike},
        "cost": plan.outlook.cost.document(),
        "problems": list(plan.problems),
        "advice": _advice(plan.advice, advice_lines(plan, etl)) if plan.advice else None,
        "parts": _parts(plan.parts, parts_line(plan, etl)) if plan.parts else None,
    }


def _advice(advised: Outlook, commands: list[str]) -> dict[str, Any]:
    then = advised.settings
    return {
        "concurrency": then.concurrency,
        "segment_bytes": round(then.segment_bytes),
        "read_units_per_second": then.read_units_per_second,
        "write_units_per_second": then.write_units_per_second,
        "max_write_units_per_second": then.max_write_units_per_second,
        "timeout_seconds": then.timeout_seconds,
        "commands": commands,
        "seconds": round(advised.found.seconds, 1),
        "cost": advised.cost.document(),
    }


def _parts(parts: Parts, command: str) -> dict[str, Any]:
    return {
        "hours": parts.hours,
        "number": parts.number,
        "seconds": round(parts.each.found.seconds, 1),
        "dollars": plain(parts.dollars),
        "command": command,
    }
