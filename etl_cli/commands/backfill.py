"""`etl backfill`: runs a long time window by window, and goes on where it was left."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.commands.backfill_confirmation import MOST_UNASKED, confirm
from etl_cli.commands.backfill_session import BackfillSession
from etl_cli.commands.follow import console_of_progress
from etl_cli.render.backfill import print_plan, print_title
from etl_cli.render.backfill_document import plan_document
from etl_cli.runs.ledger import read_ledger
from etl_cli.summary.backfill import BackfillWork
from etl_cli.summary.backfill_windows import plan, split
from etl_cli.terminal.console import print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.time_options import checked_span, parse_length, time_option
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.words import format_instant

_MOST_PARALLEL = 20
EXITS = {0: "all windows are done", 1: "a window failed, or an error", 130: "interrupted, what runs goes on"}
EPILOG = (
    "Examples:  etl backfill --from 2026-01-01 --to 2026-11-01 --step 1w  ·  etl backfill --from 2026-11-01 --to "
    "2026-11-03 --step 6h --parallel 2  ·  etl backfill --from 2026-01-01 --to 2026-11-01 --dry-run"
)


def backfill(  # noqa: PLR0913 - each is an option
    *,
    since: Annotated[datetime, time_option("First instant, such as 2026-01-01 or 2026-01-01T02:00Z.", "--from")],
    until: Annotated[datetime, time_option("First instant behind it; has passed.", "--to")],
    step: Annotated[
        str, typer.Option(metavar="LENGTH", help="Length of a window, such as 7d, 1d, 6h or 30min.")
    ] = "1d",
    parallel: Annotated[int, typer.Option(min=1, max=_MOST_PARALLEL, help="How many windows run at once.")] = 1,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on with further windows when one has failed.")
    ] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Run windows again that are done.")] = False,
    done_since: Annotated[datetime | None, time_option("Run windows again that were done earlier than that.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the windows, and start nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"Run more than {MOST_UNASKED} windows without asking.")] = False,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Run a long time window by window, the oldest first; what is done already is left out.

    Started again it goes on where it was left: a window that an earlier
    backfill of the same windows has loaded isn't run again, one that failed is.
    It stops at the first window that fails, and lets those that run end.

    It needs no watermark. Windows that run in their order, one at a time,
    also move it, if they begin at or before it.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    span = checked_span(since, until, now, ("--from", "--to"))
    length = parse_length(step, "--step")
    windows = split(span, length)
    done_by = _done_by(done_since, now, redo=redo)
    lines, times, console = EtlLines(profile, region), Times(local_time), console_of_progress(as_json=as_json)
    with connected(profile, region) as pipeline:
        entries, _ = read_ledger(pipeline.dynamodb, now)
        planned = plan(windows, entries, done_by)
        print_title(console, span, planned, length, times)
        if not dry_run:
            again = lines.line(*_again(span, step, parallel, done_by, keep_going=keep_going, yes=yes))
            if not yes:
                confirm(console, pipeline, entries, planned, parallel, f"{again} --yes")
            work = BackfillWork(pipeline, planned, parallel=parallel, keep_going=keep_going, done_since=done_by)
            session = BackfillSession(console, work, span=span, planned=planned, times=times, lines=lines, again=again)
            raise typer.Exit(session.run(as_json=as_json))
    if as_json:
        print_json(plan_document(span, planned))
    else:
        print_plan(console, planned, times)


def _done_by(done_since: datetime | None, now: datetime, *, redo: bool) -> datetime | None:
    """From when on a run counts as done; None if every run does."""
    if redo and done_since:
        raise typer.BadParameter("that and --done-since both say what is run again: give one.", param_hint="--redo")
    return now if redo else done_since


def _again(span: Span, step: str, parallel: int, done_by: datetime | None, *, keep_going: bool, yes: bool) -> list[str]:
    """The words that go on with a backfill: a --redo goes on without what it has run again."""
    words = ["backfill", "--from", _short(span.start), "--to", _short(span.end), "--step", step]
    words += ["--parallel", str(parallel)] if parallel > 1 else []
    words += ["--keep-going"] if keep_going else []
    words += ["--done-since", _short(done_by)] if done_by else []
    words += ["--yes"] if yes else []
    return words


def _short(instant: datetime) -> str:
    """An instant as the options take it; a midnight is a date."""
    return format_instant(instant).removesuffix("T00:00:00Z")
