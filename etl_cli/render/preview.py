"""The output of `etl preview`: items before and after, rejections, aggregates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from etl.model.counts import judged
from etl.model.instants import parse_instant
from etl_cli.items.local_transformation import Outcome
from etl_cli.items.preview import OTHER_KINDS, kind_of
from etl_cli.render.item import changes_table, item_table
from etl_cli.render.rejections import rejections_table
from etl_cli.render.sections import aggregate_section, section
from etl_cli.runs.item_changes import compare
from etl_cli.runs.outcome_words import UNTIMED, untimed_words
from etl_cli.runs.staged import before_and_after
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import Grid, table_width

if TYPE_CHECKING:
    from etl_cli.items.preview import Preview
    from etl_cli.terminal.times import Times

_MOST_GROUPS = 20
_MOST_KINDS = 12
_NO_RECORDS = {
    "dropped": "dropped: transform() returns nothing for it",
    "ahead": "ahead: its time is in the future, and a later run reads it again",
    "outside": "outside: its time isn't in the window",
    "excluded": "excluded: it has no time, and the setting source_cursor_missing is exclude",
}
_OTHERS = {
    "ahead": "with a time in the future",
    "outside": "outside of the window",
    "excluded": "left out without a time",
    "included": "without a time included",
}


def print_preview(console: Terminal, preview: Preview, table: str, times: Times, chosen: Iterable[Outcome]) -> None:
    """Print the outcomes of items, the chosen ones field by field."""
    width = table_width(console)
    intro = Text(f"{plural(preview.items, 'item')} of {table}, {as_in_a_run(preview, times)}")
    console.print(intro, width=width, soft_wrap=False)
    for outcome in chosen:
        console.print(Group("", *_outcome(outcome, width)), width=width, soft_wrap=False)
    parts: list[RenderableType] = []
    if preview.items > 1:
        parts += section("What happens", _kinds(preview.kinds))
    parts += [*summary_parts(console, preview, width), "", verdict(preview)]
    console.print(Group(*parts), width=width, soft_wrap=False)


def as_in_a_run(preview: Preview, times: Times) -> str:
    """The window of the preview's run, as a part of a sentence."""
    window = times.window(parse_instant(preview.run.start), parse_instant(preview.run.end))
    return f"as in a run of {window}; nothing is written"


def verdict(preview: Preview) -> Text:
    """The preview in one line."""
    rejected, untimed = preview.aside.rejected, preview.aside.untimed
    own = judged({"read": preview.items, "untimed": untimed, **preview.left_out})
    line = f"{plural(preview.records, 'record')} of {plural(preview.items, 'item')}"
    line += f", {rejected:,} rejected ({100 * rejected / own:.1f} %)" if rejected else ", none rejected"
    line += untimed_words(untimed)
    line += f", {preview.dropped:,} dropped" if preview.dropped else ""
    shown = preview.left_out | Counter(included=preview.included)
    line += "".join(f", {shown[name]:,} {words}" for name, words in _OTHERS.items() if shown[name])
    forgotten = bool(preview.dropped and not preview.records)
    line += ". A run would load nothing, and fail: does transform() lack a return?" if forgotten else ""
    doubtful = bool(rejected or untimed) or forgotten
    return Text(f"  {'~' if doubtful else '✔'} {line}", "bold yellow" if doubtful else "bold green")


def summary_parts(console: Terminal, preview: Preview, width: int) -> Iterator[RenderableType]:
    """The rejections and the aggregates of a preview."""
    if preview.aside.total:
        yield from section("Into quarantine", rejections_table(preview.aside.rejections()))
    for aggregate in preview.aggregates:
        yield from aggregate_section(console, width, aggregate, _MOST_GROUPS, _exact)


def _exact(value: Any) -> str:
    return "-" if value is None else str(value)


def one_of_each_kind(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The first outcome of each kind of change; rejected items are left out."""
    firsts: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.rejection is None:
            firsts.setdefault(kind_of(outcome), outcome)
    return list(firsts.values())


def _kinds(kinds: Counter[str]) -> Grid:
    """The number of items with each kind of change."""
    table = Grid(gap=2)
    table.whole("right", least=6)
    table.text()
    shown = [(kind, number) for kind, number in kinds.most_common(_MOST_KINDS) if kind != OTHER_KINDS]
    for kind, number in shown:
        table.add_row(f"{number:,}", kind)
    if rest := kinds.total() - sum(number for _, number in shown):
        table.add_row(f"{rest:,}", Text(OTHER_KINDS, "dim"))
    return table


def _outcome(outcome: Outcome, width: int) -> Iterator[RenderableType]:
    head = Text.assemble("  ", (outcome.key.text, "bold"), "  ")
    records, first = outcome.records, outcome.schema.shown_first
    if len(records) == 1:
        yield head
    else:
        words = _NO_RECORDS.get(outcome.fate, f"becomes {len(records)} records")
        if outcome.rejection:
            words = f"{UNTIMED if outcome.rejection.untimed else 'rejected'}: {outcome.rejection}"
        yield head + Text(words, "yellow")
        yield item_table(outcome.item, width, first)
    for number, record in enumerate(records, 1):
        if len(records) > 1:
            yield Text(f"  record {number} of {len(records)}", "dim")
        yield changes_table(compare(*before_and_after(outcome.line, record), first), ("before", "after"), width)
