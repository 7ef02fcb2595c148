"""Follows an execution to its end on a board, and prints its report or the reason of its failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from botocore.exceptions import BotoCoreError, ClientError

from etl.model.stages import STATES
from etl.model.statuses import SUCCEEDED
from etl_cli.aws.error_messages import explained_midway
from etl_cli.render.board import Board
from etl_cli.render.failure import print_advice, print_failure
from etl_cli.render.report import print_report
from etl_cli.render.run_document import failure_document, report_document
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.failure import ExecutionError, Failure, explain
from etl_cli.runs.history import Timeline, execution_name
from etl_cli.runs.progress import follow
from etl_cli.summary.run_summary import RunSummary, summarize_followed
from etl_cli.terminal.console import Terminal, err, print_json
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED
from etl_cli.terminal.times import Times

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

LOOK_SECONDS = 1.0


def follow_to_end(
    deployment: Deployment, execution: str, lines: EtlLines, times: Times, *, as_json: bool = False
) -> None:
    """Follow an execution (its ARN) to its end and print its report. It goes on if you interrupt the command.

    Raises:
        typer.Exit: it failed, or the command was interrupted.
        UserError: AWS doesn't answer any more, or an object of the run isn't in the bucket.
    """
    console = console_of_progress(as_json=as_json)
    try:
        again = lines.line("watch", execution_name(execution))
        with _resumable(deployment, again), Board(console, STATES, owns=False) as board:
            timeline = show_execution(board, deployment, execution, times, LOOK_SECONDS, sets_clock=True)
    except ExecutionError as error:
        print_failed(console, error.failure, lines, as_json=as_json)
        raise typer.Exit(EXIT_FAILED) from None
    print_succeeded(console, deployment, summarize_followed(deployment, execution, timeline), times, as_json=as_json)


def print_succeeded(
    console: Terminal, deployment: Deployment, summary: RunSummary, times: Times, *, as_json: bool
) -> None:
    """Print the report of a run that succeeded."""
    if as_json:
        print_json(report_document(summary))
    else:
        print_report(console, summary, (deployment.source_table, deployment.destination_table), times=times)


def print_failed(console: Terminal, failure: Failure, lines: EtlLines, *, as_json: bool) -> None:
    """Print the reason of a failure and the advice, and the JSON document if ``as_json``."""
    if as_json:
        print_json(failure_document(failure))
    print_failure(console, failure)
    print_advice(console, failure, lines)


@contextmanager
def _resumable(deployment: Deployment, again: str) -> Iterator[None]:
    """If the command ends early, say that the run goes on, with the line that follows it again."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as reason:
        err.print("interrupted: the run goes on. Watch it again:")
        err.print(f"  {again}")
        raise typer.Exit(int(reason.code or 0) if isinstance(reason, SystemExit) else EXIT_INTERRUPTED) from None
    except (BotoCoreError, ClientError) as error:
        endpoint = deployment.stepfunctions.meta.endpoint_url
        raise explained_midway(error, endpoint, "The run goes on. Watch it again:", [again]) from None


def console_of_progress(*, as_json: bool) -> Terminal:
    """The terminal for progress: the output, or the error output if the output is for JSON."""
    return Terminal(stderr=as_json)


def show_execution(
    board: Board,
    deployment: Deployment,
    execution: str,
    times: Times,
    interval_seconds: float,
    *,
    sets_clock: bool = False,
) -> Timeline:
    """Show an execution's stages on a board until it has ended.

    ``sets_clock`` gives the board the execution's age.

    Raises:
        ExecutionError: it ended without success.
    """
    timeline, aged = Timeline(), not sets_clock
    for snapshot in follow(deployment, execution, interval_seconds):
        timeline = snapshot.timeline
        if timeline.started and not aged:
            board.count_from(max(0.0, (snapshot.looked_at - timeline.started).total_seconds()))
            aged = True
        for step in stage_steps(snapshot, times):
            if step.state != "waiting":
                board.show(step)
    if sets_clock and timeline.seconds is not None:
        board.count_from(timeline.seconds)
    if timeline.status != SUCCEEDED:
        raise ExecutionError(explain(deployment, execution, timeline))
    return timeline
