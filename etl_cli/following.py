"""Follows an execution to its end: on a board while it runs, then its report, or why it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from etl_cli.board import Board
from etl_cli.failure import ExecutionError, explain
from etl_cli.history import STAGES, Timeline
from etl_cli.progress import follow
from etl_cli.report import RunReport, collect
from etl_cli.stage_steps import stage_steps
from etl_cli.times import Times

if TYPE_CHECKING:
    from etl_cli.deployment import Pipeline

LOOK_SECONDS = 1.0


def follow_to_end(
    pipeline: Pipeline,
    execution: str,
    console: Console,
    times: Times | None = None,
    interval_seconds: float = LOOK_SECONDS,
) -> RunReport:
    """Show how an execution goes on until it has ended, and put its report together. It may have ended already.

    Args:
        pipeline: where it runs.
        execution: its ARN.
        console: where to show it.
        times: how to print instants; in UTC if left out.
        interval_seconds: time between two looks.

    Raises:
        ExecutionError: it ended without success.
        UserError: an object of the run isn't in the bucket any more.
    """
    with Board(console, STAGES, owns=False) as board:
        timeline = show_execution(board, pipeline, execution, times or Times(), interval_seconds, alone=True)
    return collect(pipeline, execution, timeline)


def show_execution(
    board: Board, pipeline: Pipeline, execution: str, times: Times, interval_seconds: float, *, alone: bool = False
) -> Timeline:
    """Show an execution's stages on a board until it has ended.

    Args:
        board: where; has steps of the stages' names.
        pipeline: where it runs.
        execution: its ARN.
        times: how to print instants.
        interval_seconds: time between two looks.
        alone: whether the board shows nothing else, and is as old as the execution then.

    Raises:
        ExecutionError: it ended without success.
    """
    timeline, aged = Timeline(), not alone
    for snapshot in follow(pipeline, execution, interval_seconds):
        timeline = snapshot.timeline
        if timeline.started and not aged:
            board.count_from(max(0.0, (snapshot.looked_at - timeline.started).total_seconds()))
            aged = True
        for step in stage_steps(snapshot, times):
            if step.state != "waiting":
                board.show(step)
    if alone and timeline.seconds is not None:
        board.count_from(timeline.seconds)
    if timeline.status != "SUCCEEDED":
        raise ExecutionError(explain(pipeline, execution, timeline))
    return timeline
