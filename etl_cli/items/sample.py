"""A sample: items of the source table to preview your transformation with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from etl.model.instants import format_instant
from etl.model.run import Run, run_id
from etl.model.schema import SPECIFIED, Schema
from etl.tables.change_time import EVER, OUTSIDE, bounds, rule_of
from etl.tables.selection import selection
from etl.tables.source import SourceTable
from etl_cli.aws.raw_items import items_of, raw_client
from etl_cli.items.item_key import ItemKey
from etl_cli.items.item_time import value_of
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.formats import plural
from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.times import Span

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

# The most items that are scanned for a sample. A window may hold few items of a large table.
MOST_SCANNED = 500_000
# The most that a sample keeps, as JSON: 100,000 items of 500 bytes, or 14 of 400,000 values each.
MOST_SAMPLE_BYTES = 50_000_000

OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Sample:
    """Items to transform in a run, lines of DynamoDB JSON.

    Attributes:
        scanned: number of items of the source table that were looked at; 0 for items given by their ids.
        cut: whether the search ended before it had as many items as asked for.
        full: whether the search ended because the items have too many bytes.
    """

    run: Run
    lines: list[bytes]
    scanned: int = 0
    cut: bool = False
    full: bool = False


def preview_run(window: Span | None, now: datetime, schema: Schema = SPECIFIED) -> Run:
    """The run that ``transform()`` gets: one of this window, or of the last day, that starts now."""
    start, end = window or Span(now - timedelta(days=1), now)
    return Run(
        id=run_id(now),
        start=format_instant(start),
        end=format_instant(end),
        time=format_instant(now),
        execution="preview",
        segments=1,
        schema=schema,
    )


def take_sample(
    deployment: Deployment, most: int, window: Span | None, run: Run, on_progress: OnProgress = lambda _: None
) -> Sample:
    """Take the first items that a scan of the source table finds; a second call finds the same.

    A window leaves out items of other times, and none without a usable timestamp. Progress is the number looked at.

    Raises:
        UserError: there are none.
    """
    span = bounds(*((run.start, run.end) if window else EVER), run.time)
    time = run.schema.time
    rule = rule_of(time)
    picked = selection(run.schema, span)
    table = SourceTable(raw_client(deployment, "source"), deployment.source_table)
    lines: list[bytes] = []
    scanned, size, full = 0, 0, False
    for page in table.pages(picked, 0, 1, None):
        scanned += page.scanned
        on_progress(scanned)
        for line in map(bytes, page.items):
            # A filter may pick more than the window.
            if len(lines) == most or rule.verdict_on(value_of(time, line), span) == OUTSIDE:
                continue
            size += len(line)
            if full := bool(lines) and size > MOST_SAMPLE_BYTES:
                break
            lines.append(line)
        if full or len(lines) == most or scanned >= MOST_SCANNED:
            break
    if not lines:
        raise _no_items(deployment.source_table, scanned, window)
    return Sample(run, lines, scanned, cut=not full and len(lines) < most and scanned >= MOST_SCANNED, full=full)


def _no_items(table: str, scanned: int, window: Span | None) -> UserError:
    if not scanned:
        return UserError(f"{table} has no items.", f"Put some into it: {command()} seed --count 100")
    return UserError(
        f"None of the {plural(scanned, 'item')} of {table} that were looked at is in {'this' if window else 'any'} "
        "window.",
        "Take the items of a run instead, --run latest, or any items: leave out --start and --end.",
    )


def take_items(deployment: Deployment, keys: Iterable[ItemKey], run: Run) -> Sample:
    """Take the items of the source table with these keys.

    Raises:
        UserError: one is missing.
    """
    lines: list[bytes] = []
    table = raw_client(deployment, "source")
    for key in keys:
        found = items_of(table.get_item(TableName=deployment.source_table, Key=key.request, ConsistentRead=True))
        if not found:
            raise UserError(
                f"{deployment.source_table} has no item {key.text!r}.",
                f"See its way: {command()} explain {shell_words(*key.options)}",
            )
        lines += found
    return Sample(run, lines)
