"""`etl pipelines`: all deployed pipelines of an account and region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from etl.model.instants import format_instant
from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region
from etl_cli.aws.deploy_line import deploy_line
from etl_cli.aws.deployment import Deployment
from etl_cli.aws.pipelines import deployed_stacks
from etl_cli.aws.place import find_place
from etl_cli.doctor.findings import STYLES
from etl_cli.doctor.pipeline_health import PipelineHealth, look_at
from etl_cli.render.run_document import entry_document
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.runs.outcome_words import ended
from etl_cli.terminal.console import Terminal, Text, out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, plural
from etl_cli.terminal.grid import readable
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

_LABEL_WIDTH = len("destination")
_INDENT = 2 + _LABEL_WIDTH + 2


@verb(examples=("etl pipelines", "etl pipelines --json", "etl --pipeline orders-dev runs"))
def pipelines(
    as_json: AsJson = False, profile: Profile = None, region: Region = None, local_time: LocalTime = False
) -> None:
    """List all pipelines that are deployed: tables, schedule, last run, watermark, and health.

    The name of each is the one that --pipeline takes.
    """
    place, now = find_place(profile, region), datetime.now(UTC)
    etl, times = EtlLines(profile, region), Times(local_time)
    try:
        stacks = deployed_stacks(place.session.client("cloudformation", **place.options))
        found = [
            look_at(Deployment.of(stack, place.session, place.options), stack, now, times, etl.of(stack.names.prefix))
            for stack in stacks
        ]
    except (BotoCoreError, ClientError) as error:
        raise place.explained(error) from None
    if as_json:
        print_json({"pipelines": [document(each) for each in found]})
    elif found:
        print_pipelines(out, found, now, times)
    else:
        out.print(f"No pipeline is deployed here. Deploy one: {deploy_line(place.endpoint)}", soft_wrap=True)


def document(found: PipelineHealth) -> dict[str, Any]:
    """A pipeline for programs. Unknown facts are null."""
    names, last = found.stack.names, found.last_run
    return {
        "name": names.prefix,
        "pipeline": names.pipeline,
        "stage": names.stage,
        "stack": names.stack,
        "source": found.source,
        "destination": found.destination,
        "schedule": found.schedule,
        "schedule_enabled": found.enabled,
        "last_run": entry_document(last) if last else None,
        "watermark": format_instant(found.watermark.end) if found.watermark else None,
        "health": found.level,
        "findings": [asdict(each) for each in found.findings if each.level != "ok"],
    }


def print_pipelines(console: Terminal, found: Sequence[PipelineHealth], now: datetime, times: Times) -> None:
    """Print a block of lines for each pipeline."""
    for position, each in enumerate(found):
        if position:
            console.print()
        console.print(Text.assemble((each.stack.names.prefix, "bold"), "  ", (each.level, STYLES[each.level])))
        for label, text in _facts(each, now, times).items():
            first, *rest = readable(console, text, _INDENT)
            console.print(Text.assemble("  ", (f"{label:<{_LABEL_WIDTH}}", "dim"), f"  {first}"), soft_wrap=True)
            for line in rest:
                console.print(Text(" " * _INDENT + line), soft_wrap=True)
        if each.reason and each.reason.command:
            console.print(Text(" " * _INDENT + each.reason.command), soft_wrap=True)
    console.print()
    troubled = sum(each.level != "ok" for each in found)
    health = f"{plural(troubled, 'of them needs', 'of them need')} a look" if troubled else "all well"
    console.print(f"{plural(len(found), 'pipeline')}, {health}.")


def _facts(found: PipelineHealth, now: datetime, times: Times) -> dict[str, str]:
    facts = {"source": found.source, "destination": found.destination, "schedule": _schedule(found)}
    facts["last run"] = _last_run(found.last_run, times)
    if found.watermark:
        age = duration(max(0.0, (now - found.watermark.end).total_seconds()))
        facts["watermark"] = f"{times.instant(found.watermark.end)}, {age} ago"
    else:
        facts["watermark"] = "none yet"
    if found.reason:
        facts["health"] = f"{found.reason.about}: {found.reason.text}. {found.reason.remedy}".rstrip()
    return facts


def _schedule(found: PipelineHealth) -> str:
    if found.enabled is None:
        return "unknown"
    return f"{found.schedule or 'on events only'}{'' if found.enabled else ', disabled'}"


def _last_run(entry: LedgerEntry | None, times: Times) -> str:
    if entry is None:
        return "none yet"
    started = f", {times.instant(entry.started)}" if entry.started else ""
    if entry.status == SUCCEEDED:
        return f"{entry.label} succeeded, {plural(entry.counts.get('loaded', 0), 'record')} loaded{started}"
    words = "is running" if entry.status == RUNNING else ended(entry.status, entry.stage, entry.error)
    return f"{entry.label} {words}{started}"
