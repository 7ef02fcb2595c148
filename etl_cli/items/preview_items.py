"""Items of the source table to preview a transformation with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from etl_cli.aws.raw_items import items_of, raw_client
from etl_cli.items import local_transformation as stage_code
from etl_cli.items.local_transformation import Run
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import count, format_instant

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

# A window may hold little of a large table, and each look costs a scan: so many items are looked at.
MOST_SCANNED = 500_000
# So much is kept of them, as JSON: 100,000 items of 500 bytes, or 14 of 400,000 values each.
MOST_SAMPLE_BYTES = 50_000_000

OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Taken:
    """Items to run through the transformation.

    Attributes:
        run: what `transform()` is told of the run.
        lines: an item of DynamoDB JSON each.
        scanned: how many items of the source table were looked at for them; 0 if they were asked for by their ids.
        cut: whether looking ended before there were as many as asked for.
        full: whether it ended because they have so many bytes.
    """

    run: Run
    lines: list[bytes]
    scanned: int = 0
    cut: bool = False
    full: bool = False


def run_now(window: Span | None, now: datetime) -> Run:
    """What `transform()` is told of a run of this window, of the last day without one, that starts now."""
    start, end = window or Span(now - timedelta(days=1), now)
    return Run(
        id=now.strftime("%Y%m%dT%H%M%S000Z"),
        start=format_instant(start),
        end=format_instant(end),
        time=format_instant(now),
        execution="preview",
        segments=1,
    )


def take_sample(
    pipeline: Pipeline, most: int, window: Span | None, run: Run, on_progress: OnProgress = lambda _: None
) -> Taken:
    """Items of the source table, the first that a scan finds: the same again each time.

    Args:
        pipeline: where to look.
        most: how many.
        window: take the items of this window, and those without a usable timestamp; None for any.
        run: what `transform()` is to be told.
        on_progress: called with the number of items looked at.

    Raises:
        UserError: there are none.
    """
    start, end = (run.start, run.end) if window else stage_code.EVER
    lines: list[bytes] = []
    scanned, size, full = 0, 0, False
    for looked_at, found in stage_code.source_lines(pipeline, start, end, run.time):
        scanned += looked_at
        on_progress(scanned)
        for line in found[: most - len(lines)]:
            size += len(line)
            if full := bool(lines) and size > MOST_SAMPLE_BYTES:
                break
            lines.append(line)
        if full or len(lines) == most or scanned >= MOST_SCANNED:
            break
    if not lines:
        raise UserError(*_nothing(pipeline.source_table, scanned, window))
    return Taken(run, lines, scanned, cut=not full and len(lines) < most and scanned >= MOST_SCANNED, full=full)


def _nothing(table: str, scanned: int, window: Span | None) -> tuple[str, str]:
    if not scanned:
        return f"{table} has no items.", f"Put some into it: {command()} seed --count 100"
    where = "of this window" if window else "at all"
    return (
        f"There is nothing {where} among the {count(scanned, 'item')} of {table} that were looked at.",
        "Take what a run has read instead, --run latest, or any items: without --start and --end.",
    )


def take_items(pipeline: Pipeline, ids: Iterable[str], run: Run) -> Taken:
    """The items of the source table with these ids.

    Raises:
        UserError: one isn't there.
    """
    lines = []
    table = raw_client(pipeline)
    for each in ids:
        found = items_of(table.get_item(TableName=pipeline.source_table, Key={"id": {"S": each}}, ConsistentRead=True))
        if not found:
            raise UserError(
                f"{pipeline.source_table} has no item {each!r}.",
                f"What became of it: {command()} explain {shell_words(each)}",
            )
        lines += found
    return Taken(run, lines)
