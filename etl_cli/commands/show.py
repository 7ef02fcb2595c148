"""`etl show`: one run, from its window to its cost."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.commands.runs import entry_document
from etl_cli.render.show import print_record
from etl_cli.runs.ledger import find_run, read_ledger
from etl_cli.summary.record import RunRecord, read_record
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb
from etl_cli.terminal.words import format_instant


@verb(
    examples=("etl show", "etl show 20261124T020000123Z", "etl show night-3 --json"),
    exits={0: "shown, however the run ended", 1: "there is no such run, or an error"},
)
def show(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The run's timestamp, its execution's name or ARN, or latest.")
    ] = "latest",
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show all that is known of a run: window, balance, durations, capacity and cost, or why it failed and what to do.

    The ledger knows a run for ever. Durations by stage
    are in its execution's history, for 90 days.
    """
    with connected(profile, region) as pipeline:
        entries, watermark = read_ledger(pipeline.dynamodb, datetime.now(UTC))
        record = read_record(pipeline, find_run(entries, run), entries, watermark)
    if as_json:
        print_json(record_document(record))
    else:
        print_record(
            out,
            record,
            (pipeline.source_table, pipeline.destination_table),
            Times(local_time),
            EtlLines(profile, region),
        )


def record_document(record: RunRecord) -> dict[str, Any]:
    """What `etl show --json` prints."""
    report, failure, timeline = record.report, record.failure, record.timeline
    document = entry_document(record.entry) | {"status": record.status}
    if failure:
        document["failure"] = {
            "stage": failure.stage,
            "error": failure.error,
            "cause": failure.message,
            "where": failure.where,
            "remedy": failure.remedy,
            "missing": [{"start": format_instant(start), "end": format_instant(end)} for start, end in record.missing],
        }
    return document | {
        "stages": {name: stage.seconds for name, stage in timeline.stages.items()} if timeline else None,
        "balance": [asdict(line) | {"holds": line.holds} for line in report.balance()] if report else None,
        "cost": record.cost.document(),
        "predicted_cost": record.predicted.document() if record.predicted else None,
        "links": record.links,
    }
