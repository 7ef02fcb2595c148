"""`etl runs`: the history of runs, from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from etl.model import statuses
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.render.run_document import entry_document
from etl_cli.render.runs_table import runs_table
from etl_cli.runs.ledger import LedgerEntry, read_ledger
from etl_cli.terminal.console import Terminal, Text, out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import plural
from etl_cli.terminal.time_options import since_option
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

STATUSES = tuple(status.lower() for status in statuses.STATUSES)
_STATUS_HELP = f"Show only runs with this status: {', '.join(STATUSES)}. Repeat it for more."


def parse_status(text: str) -> str:
    """Check a status, as it is typed."""
    if text not in STATUSES:
        raise typer.BadParameter(f"{text!r} is not a status: write one of {', '.join(STATUSES)}.")
    return text


@verb(examples=("etl runs", "etl runs --status failed --since 7d", "etl runs --limit 100 --json"))
def runs(  # noqa: PLR0913 - each is an option
    *,
    limit: Annotated[int, typer.Option(min=1, help="Number of runs to show, the latest first.")] = 20,
    status: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS", parser=parse_status, help=_STATUS_HELP),
    ] = None,
    since: Annotated[datetime | None, since_option("Show runs that started")] = None,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the runs, the latest first: window, outcome, duration and numbers of items.

    The ledger keeps an entry of every execution without limit, even if it failed before it read anything.
    """
    with connected(profile, region) as deployment:
        entries, _ = read_ledger(deployment.dynamodb, deployment.names, datetime.now(UTC))
    found = select(entries, status or STATUSES, since)
    if as_json:
        print_json({"total": len(found), "runs": [entry_document(entry) for entry in found[:limit]]})
    elif entries and not found:
        out.print(f"No run has this status and start. All runs: {EtlLines(profile, region).line('runs')}")
    else:
        print_runs(out, found[:limit], len(found), Times(local_time), EtlLines(profile, region))


def select(entries: Iterable[LedgerEntry], statuses: Sequence[str], since: datetime | None) -> list[LedgerEntry]:
    """The entries with one of these statuses, in lower case, that started at ``since`` or later; in their order."""
    return [
        entry
        for entry in entries
        if entry.status.lower() in statuses
        and (since is None or (entry.started is not None and entry.started >= since))
    ]


def print_runs(console: Terminal, entries: Sequence[LedgerEntry], total: int, times: Times, etl: EtlLines) -> None:
    """Print a table of runs, the latest of all that were asked for; a file has no width."""
    if not entries:
        console.print(f"No runs. Start one: {etl.line('run')}", soft_wrap=True)
        return
    width = console.width if console.is_terminal else None
    for line in runs_table(entries, times, etl, width):
        console.print(line, soft_wrap=True)
    if total > len(entries):
        more = f"The latest {len(entries)} of {plural(total, 'run')}; --limit {total} shows all."
        console.print()
        console.print(Text(more, "dim"), soft_wrap=True)
