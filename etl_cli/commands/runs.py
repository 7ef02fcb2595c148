"""`etl runs`: the history of runs, from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.render.runs_table import runs_table
from etl_cli.runs.failure import read_cause
from etl_cli.runs.ledger import Entry, read_ledger
from etl_cli.terminal.console import Terminal, Text, out, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.time_options import since_option
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb
from etl_cli.terminal.words import count, format_instant


class Status(StrEnum):
    """How a run may stand, as it is typed."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


_STATUS_HELP = f"Only runs that have it; may be repeated: {', '.join(Status)}."


@verb(examples=("etl runs", "etl runs --status failed --since 7d", "etl runs --limit 100 --json"))
def runs(  # noqa: PLR0913 - each is an option
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many to show, the latest.")] = 20,
    status: Annotated[list[Status] | None, typer.Option(metavar="STATUS", help=_STATUS_HELP)] = None,
    since: Annotated[datetime | None, since_option("Show runs that started")] = None,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List the runs, the latest first: window, outcome, how long, and how many items.

    Every execution has an entry in the ledger for ever,
    also one that never came to read anything.
    """
    with connected(profile, region) as pipeline:
        entries, _ = read_ledger(pipeline.dynamodb, datetime.now(UTC))
    found = select(entries, status or list(Status), since)
    if as_json:
        print_json({"total": len(found), "runs": [entry_document(entry) for entry in found[:limit]]})
    elif entries and not found:
        out.print(f"No run has this status or start. All runs: {EtlLines(profile, region).line('runs')}")
    else:
        print_runs(out, found[:limit], len(found), Times(local_time), EtlLines(profile, region))


def select(entries: Iterable[Entry], statuses: Sequence[Status], since: datetime | None) -> list[Entry]:
    """The entries that have one of these statuses and started at an instant or later; in their order."""
    names = {status.name for status in statuses}
    return [
        entry
        for entry in entries
        if entry.status in names and (since is None or (entry.started is not None and entry.started >= since))
    ]


def entry_document(entry: Entry) -> dict[str, Any]:
    """A run for programs; what the ledger doesn't have of it is null or empty."""

    def text(instant: datetime | None) -> str | None:
        return format_instant(instant) if instant else None

    failure = {"stage": entry.stage, "error": entry.error, "cause": read_cause(entry.cause)[0]}
    return {
        "run": entry.run or None,
        "name": entry.name,
        "execution": entry.execution,
        "status": entry.status,
        "window": {"start": text(entry.window.start), "end": text(entry.window.end)} if entry.window else None,
        "started": text(entry.started),
        "finished": text(entry.finished),
        "seconds": entry.seconds,
        "segments": entry.segments or None,
        "counts": entry.counts,
        "failure": failure if entry.error else None,
        "replay_of": entry.replay or None,
        "replayed": entry.replayed or None,
    }


def print_runs(console: Terminal, entries: Sequence[Entry], total: int, times: Times, etl: EtlLines) -> None:
    """Print a table of runs.

    Args:
        console: where; what is no terminal has no width.
        entries: the runs.
        total: of how many.
        times: prints windows.
        etl: makes lines of this command.
    """
    if not entries:
        console.print(f"No runs. Start one: {etl.line('run')}", soft_wrap=True)
        return
    width = console.width if console.is_terminal else None
    for line in runs_table(entries, times, etl, width):
        console.print(line, soft_wrap=True)
    if total > len(entries):
        more = f"The latest {len(entries)} of {count(total, 'run')}; --limit {total} shows all."
        console.print()
        console.print(Text(more, "dim"), soft_wrap=True)
