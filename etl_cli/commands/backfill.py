"""`etl backfill`: runs a long time window by window, and continues where it stopped."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl.model.instants import format_instant
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.aws.deployed_schema import may_read_all
from etl_cli.aws.error_messages import explained_midway
from etl_cli.costs.cost import money
from etl_cli.costs.deployed import read_deployed
from etl_cli.costs.planned_window import PlannedWindow
from etl_cli.costs.planning import make_plan
from etl_cli.costs.prices import price_list
from etl_cli.costs.workload import representative_runs
from etl_cli.render.backfill import (
    BackfillBoard,
    plan_document,
    print_plan,
    print_success,
    print_title,
    progress_sentence,
    window_names,
    work_document,
)
from etl_cli.render.board import Board
from etl_cli.render.failure import print_advice, print_failure
from etl_cli.render.live_run import LOOK_SECONDS, console_of_progress
from etl_cli.runs.history import execution_name
from etl_cli.runs.ledger import LedgerEntry, read_ledger
from etl_cli.summary.backfill import BackfillWork, Planned, plan, split
from etl_cli.terminal.console import Terminal, err, print_json
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from etl_cli.terminal.formats import duration, plural
from etl_cli.terminal.time_options import checked_span, parse_length, time_option
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.typer_app import verb

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

MOST_UNASKED = 100
_MOST_PARALLEL = 20


@verb(
    examples=(
        "etl backfill --from 2026-01-01 --to 2026-11-01 --step 1w",
        "etl backfill --from 2026-11-01 --to 2026-11-03 --step 6h --parallel 2",
        "etl backfill --from 2026-01-01 --to 2026-11-01 --dry-run",
    ),
    exits={1: "a window failed, or an error", 130: "interrupted; running windows go on"},
)
def backfill(  # noqa: PLR0913 - each is an option
    *,
    since: Annotated[datetime, time_option("Start, such as 2026-01-01 or 2026-01-01T02:00Z.", "--from")],
    until: Annotated[datetime, time_option("End, which it doesn't include; it must have passed.", "--to")],
    step: Annotated[
        str, typer.Option(metavar="LENGTH", help="Length of a window, such as 7d, 1d, 6h or 30min.")
    ] = "1d",
    parallel: Annotated[int, typer.Option(min=1, max=_MOST_PARALLEL, help="Number of windows that run at once.")] = 1,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Continue with further windows after one has failed.")
    ] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Run all windows again, even if they are done.")] = False,
    done_since: Annotated[datetime | None, time_option("Repeat windows that were finished before this time.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the windows and start nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"Run more than {MOST_UNASKED} windows without asking.")] = False,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Run a long time window by window, the oldest first, without the windows that are done.

    Run the same command again to continue. A window that an earlier backfill of the same windows has loaded
    doesn't run again; one that failed does. The command stops at the first window that fails, and waits for
    those that run.

    It needs no watermark. Windows that run in order, one at a time, also move the watermark if they begin at
    or before it.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    span = checked_span(since, until, now, ("--from", "--to"))
    length = parse_length(step, "--step")
    windows = split(span, length)
    done_by = _done_by(done_since, now, redo=redo)
    lines, times, console = EtlLines(profile, region), Times(local_time), console_of_progress(as_json=as_json)
    with connected(profile, region) as deployment:
        if may_read_all(deployment):
            raise UserError(
                f"The pipeline reads all of {deployment.source_table} in each run: its source_cursor_format is none. "
                "Each window would read and write the same items. Nothing was started.",
                f"One run loads everything: {lines.line('run')}",
            )
        entries, _ = read_ledger(deployment.dynamodb, deployment.names, now)
        planned = plan(windows, entries, done_by)
        print_title(console, span, planned, length, times)
        if not dry_run:
            again = lines.line(*_again(span, step, parallel, done_by, keep_going=keep_going, yes=yes))
            if not yes:
                _confirm(console, deployment, entries, planned, parallel, f"{again} --yes")
            work = BackfillWork(deployment, planned, parallel=parallel, keep_going=keep_going, done_since=done_by)
            raise typer.Exit(_Session(console, work, span, times, lines, again).run(as_json=as_json))
    if as_json:
        print_json(plan_document(span, planned))
    else:
        print_plan(console, planned, times)


def _done_by(done_since: datetime | None, now: datetime, *, redo: bool) -> datetime | None:
    """The start from which on a run counts as done; None if every run does."""
    if redo and done_since:
        raise typer.BadParameter("give either this or --done-since.", param_hint="--redo")
    return now if redo else done_since


def _again(span: Span, step: str, parallel: int, done_by: datetime | None, *, keep_going: bool, yes: bool) -> list[str]:
    """The words that continue a backfill; a --redo continues without the windows that it has run again."""
    words = ["backfill", "--from", _short(span.start), "--to", _short(span.end), "--step", step]
    words += ["--parallel", str(parallel)] if parallel > 1 else []
    words += ["--keep-going"] if keep_going else []
    words += ["--done-since", _short(done_by)] if done_by else []
    return words + (["--yes"] if yes else [])


def _short(instant: datetime) -> str:
    """An instant for an option; a midnight is a date."""
    return format_instant(instant).removesuffix("T00:00:00Z")


def _confirm(
    console: Terminal,
    deployment: Deployment,
    entries: list[LedgerEntry],
    planned: list[Planned],
    parallel: int,
    line: str,
) -> None:
    """Ask before running more than `MOST_UNASKED` windows; ``line`` runs them without a question.

    Raises:
        UserError: there is no terminal to ask at.
        typer.Abort: the answer is no.
    """
    windows = [each for each in planned if not each.done]
    if len(windows) <= MOST_UNASKED:
        return
    runs = f"{plural(len(windows), 'run')}, each of which reads the whole table"
    console.print(f"  That is {runs}{_forecast(deployment, entries, windows, parallel)}.", soft_wrap=True)
    if not can_ask():
        raise UserError(
            f"More than {MOST_UNASKED} windows need a confirmation, and there is no terminal to ask at. "
            "Nothing was started.",
            "Give a longer --step. To run them all:",
            remedy_lines=[line],
        )
    typer.confirm("Run them?", abort=True, err=True)


def can_ask() -> bool:
    """Whether there is a terminal to ask at."""
    return sys.stdin.isatty()


def _forecast(deployment: Deployment, entries: list[LedgerEntry], windows: list[Planned], parallel: int) -> str:
    """About the time and cost, as `etl plan` estimates them for the first window; empty if that isn't possible."""
    now = datetime.now(UTC)
    try:
        deployed = read_deployed(deployment)
    except (BotoCoreError, ClientError, UserError):  # the credentials may allow a run and no plan
        return ""
    first = PlannedWindow(windows[0].window, "")
    each = make_plan(first, deployed, representative_runs(entries, now), price_list(deployed.region), now).outlook
    seconds, dollars = each.found.seconds * len(windows) / parallel, each.cost.total * len(windows)
    return f": about {duration(seconds)} and {money(dollars)} in all"


@dataclass(frozen=True)
class _Session:
    """A backfill at the terminal; ``again`` is the line that continues it."""

    console: Terminal
    work: BackfillWork
    span: Span
    times: Times
    lines: EtlLines
    again: str

    def run(self, *, as_json: bool) -> int:
        """Do it, and return the exit code.

        Raises:
            UserError: AWS doesn't answer any more.
        """
        work = self.work
        try:
            if work.waiting:
                self._follow()
        except (KeyboardInterrupt, SystemExit) as reason:
            for line in (f"interrupted: {progress_sentence(work)}", *self._how_to_continue()):
                err.print(line)
            code = int(reason.code or 0) if isinstance(reason, SystemExit) else EXIT_INTERRUPTED
        except (BotoCoreError, ClientError) as error:
            raise explained_midway(error, work.endpoint, progress_sentence(work), self._how_to_continue()) from None
        else:
            code = EXIT_FAILED if work.failed else 0
            if work.failed:
                self._print_failure()
            else:
                print_success(self.console, work)
        if as_json:
            print_json(work_document(self.span, work) | {"again": self.again if work.unfinished else None})
        return code

    def _follow(self) -> None:
        names = window_names(self.work.planned, self.times)
        with Board(self.console, [], name_width=max(map(len, names.values())), owns=False) as board:
            view = BackfillBoard(board, self.work, names, self.times)
            view.sum_up()
            while not self.work.over:
                for window, snapshot in self.work.advance():
                    view.show(window, snapshot)
                    view.sum_up()
                if not self.work.over:
                    time.sleep(LOOK_SECONDS)
            view.sum_up(ended=True)

    def _print_failure(self) -> None:
        first = self.work.failed[0]
        self.console.print()
        self.console.print(f"  {self.times.window(*first.window)}", soft_wrap=True)
        if first.failure:
            print_failure(self.console, first.failure)
            print_advice(self.console, first.failure, self.lines)
        self.console.print()
        for line in (progress_sentence(self.work), "Correct the cause, then continue:", self.again):
            self.console.print(f"  {line}", soft_wrap=True)

    def _how_to_continue(self) -> list[str]:
        watch = [f"  {self.lines.line('watch', execution_name(each))}" for each in self.work.running.values()]
        return [
            *(["Running windows go on. Watch them:", *watch] if watch else []),
            "Continue the backfill:",
            f"  {self.again}",
        ]
