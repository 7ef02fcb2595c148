"""`etl quarantine`: the records that runs have set aside, with their reasons, and their replay."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from etl.model.statuses import RUNNING
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, RunName, connected
from etl_cli.commands.run import run_name
from etl_cli.items.item_key import parse_key_option
from etl_cli.items.quarantine import Quarantine, not_loaded_by_replay, quarantine_of, quarantines, records_of
from etl_cli.render.live_run import console_of_progress, follow_to_end
from etl_cli.render.quarantine import print_quarantines, print_records, quarantine_document, record_document
from etl_cli.runs.history import execution_name
from etl_cli.runs.ledger import LedgerEntry, read_ledger, read_run
from etl_cli.runs.staged import run_schema
from etl_cli.terminal.console import out, print_json
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import Commands, verb

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

EXIT_NOT_LOADED = 3

app = Commands(help="Show the records that runs have set aside, with their reasons, and replay them.")


@verb(examples=("etl quarantine list", "etl quarantine list --run latest", "etl quarantine list --json"))
def list_(
    *,
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Show only this run: its id, its execution's name or ARN, or latest."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of recent runs to show.")] = 20,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the runs with records in quarantine: how many, why, and whether you replayed them.

    Quarantine expires after 30 days.
    """
    with connected(profile, region) as deployment:
        now = datetime.now(UTC)
        if run:
            found = [_of(deployment, read_run(deployment.dynamodb, deployment.names, run, now))]
        else:
            found = list(
                islice(quarantines(deployment, read_ledger(deployment.dynamodb, deployment.names, now)[0]), limit)
            )
    if as_json:
        print_json({"runs": [quarantine_document(each) for each in found]})
    else:
        print_quarantines(out, found, Times(local_time), EtlLines(profile, region))


@verb(
    examples=(
        "etl quarantine show latest",
        "etl quarantine show 20261126T020000123Z --field value",
        "etl quarantine show latest --id order-000042 --json",
    )
)
def show(  # noqa: PLR0913 - each is an option
    run: RunName,
    *,
    field: Annotated[
        str | None, typer.Option(help="Show only records rejected for this attribute, such as value or tags[2].name.")
    ] = None,
    identity: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="KEY",
            help="Show only the item with this key: ID, or 'PK SK' or 'pk=PK sk=SK' in quotation marks if the table "
            "has a sort key.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Number of records to show.")] = 10,
    as_json: AsJson = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show the records that a run has set aside, each with its reason.

    They are real data: be careful with whom you share them.
    """
    with connected(profile, region) as deployment:
        entry = read_run(deployment.dynamodb, deployment.names, run, datetime.now(UTC))
        schema = run_schema(deployment, entry.run)
        key = None if identity is None else parse_key_option(schema.source, identity, deployment.source_table)
        matching = records_of(deployment, entry.run, field, key, schema)
        records = list(islice(matching, limit))
        has_more = next(matching, None) is not None
    if as_json:
        print_json({"run": entry.run, "has_more": has_more, "records": [record_document(record) for record in records]})
        return
    if not records:
        which = " that matches" if field or identity else ""
        list_line = EtlLines(profile, region).line("quarantine", "list")
        raise UserError(f"Run {entry.label} has nothing in quarantine{which}.", f"List all quarantine: {list_line}")
    print_records(out, records, has_more=has_more)


@verb(
    examples=("etl quarantine replay latest", "etl quarantine replay 20261126T020000123Z --json"),
    exits={
        0: "all records are loaded, or left out by the transformation",
        EXIT_NOT_LOADED: "some records were set aside again, or can't be replayed",
        130: "interrupted; the run goes on",
    },
)
def replay(
    run: RunName,
    *,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Run the quarantined records of a run again, in that run's window, and follow the new run.

    The replay takes each item from the source table as it is now. If the table lacks the item, it takes the record from
    quarantine. Records that fail again go to the quarantine of the new run. Ctrl-C stops following; the run goes on.
    """
    lines, times = EtlLines(profile, region), Times(local_time)
    with connected(profile, region) as deployment:
        quarantine = _of(deployment, read_run(deployment.dynamodb, deployment.names, run, datetime.now(UTC)))
        if not quarantine.aside.total:
            raise UserError(
                f"Run {quarantine.run} has nothing in quarantine, or it has expired after 30 days.",
                "List all quarantine: " + lines.line("quarantine", "list"),
            )
        execution = deployment.start(run_name("replay"), {"replay": quarantine.run})
        console = console_of_progress(as_json=as_json)
        console.print(f"  Execution  {execution_name(execution)}", soft_wrap=True)
        console.print(f"  Replays    quarantine of run {quarantine.run}", soft_wrap=True)
        console.print()
        follow_to_end(deployment, execution, lines, times, as_json=as_json)
        entry = read_run(deployment.dynamodb, deployment.names, execution, datetime.now(UTC))
    if not_loaded_by_replay(entry):
        raise typer.Exit(EXIT_NOT_LOADED)


def _of(deployment: Deployment, entry: LedgerEntry) -> Quarantine:
    """The quarantine of a run.

    Raises:
        UserError: it is still running.
    """
    if entry.status == RUNNING:
        raise UserError(f"Run {entry.label} is still running.", "Try again when it has ended.")
    return quarantine_of(deployment, entry.run, entry)


app.add(list_, show, replay)
