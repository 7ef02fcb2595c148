"""What `etl preview` prints: items before and after, what would go to quarantine, and what differs from a past run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from etl.model.counts import judged
from etl_cli.items.kinds import OTHER_KINDS, kind_of
from etl_cli.items.local_transformation import Outcome
from etl_cli.items.rejections import reasons_table
from etl_cli.runs.item import alone, compare, whole
from etl_cli.runs.phrases import UNTIMED, untimed_words
from etl_cli.runs.staged_record import before_and_after
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.grid import Grid, fitting, table_width
from etl_cli.terminal.words import count, parse_instant

if TYPE_CHECKING:
    from etl_cli.items.rehearsal import Rehearsed
    from etl_cli.terminal.times import Times

_MOST_GROUPS = 20
_MOST_KINDS = 12


def print_rehearsed(
    console: Terminal, rehearsed: Rehearsed, table: str, times: Times, chosen: Iterable[Outcome]
) -> None:
    """Print what became of items.

    Args:
        console: where.
        rehearsed: what became of them.
        table: the table that they come from.
        times: how to print instants.
        chosen: what to show field by field.
    """
    width = table_width(console)
    intro = Text(f"{count(rehearsed.items, 'item')} of {table}, {as_in_a_run(rehearsed, times)}")
    console.print(intro, width=width, soft_wrap=False)
    for outcome in chosen:
        console.print(Group("", *_outcome(outcome, width)), width=width, soft_wrap=False)
    parts: list[RenderableType] = []
    if rehearsed.items > 1:
        parts += ["", Text("  What happens", "bold"), _kinds(rehearsed.kinds)]
    parts += [
        *aside_parts(rehearsed),
        *aggregate_parts(console, width, rehearsed.aggregates),
        "",
        verdict(rehearsed),
    ]
    console.print(Group(*parts), width=width, soft_wrap=False)


def as_in_a_run(rehearsed: Rehearsed, times: Times) -> str:
    """A part of a sentence: in which window."""
    window = times.window(parse_instant(rehearsed.run.start), parse_instant(rehearsed.run.end))
    return f"as in a run of {window}; nothing is written"


def verdict(rehearsed: Rehearsed) -> Text:
    """The line that says it all."""
    rejected, untimed = rehearsed.aside.rejected, rehearsed.aside.untimed
    own = judged({"read": rehearsed.items, "ahead": rehearsed.ahead, "untimed": untimed})
    share = f" ({100 * rejected / own:.1f} %)" if rejected else ""
    line = f"{count(rehearsed.records, 'record')} of {count(rehearsed.items, 'item')}"
    line += f", {rejected:,} rejected{share}" if rejected else ", none rejected"
    line += untimed_words(untimed)
    line += f", {rehearsed.dropped:,} dropped" if rehearsed.dropped else ""
    line += f", {rehearsed.ahead:,} ahead of their time" if rehearsed.ahead else ""
    forgotten = rehearsed.dropped and not rehearsed.records
    line += ". A run loads nothing then, and fails: does transform() lack a return?" if forgotten else ""
    doubtful = bool(rejected or untimed or forgotten)
    return Text(f"  {'~' if doubtful else '✔'} {line}", "bold yellow" if doubtful else "bold green")


def aggregate_parts(console: Terminal, width: int, aggregates: Sequence[dict[str, Any]]) -> Iterator[RenderableType]:
    """The aggregates, every number with all its digits."""
    for aggregate in aggregates:
        groups = aggregate["groups"]
        yield from ("", Text(f"  Aggregate {aggregate['name']}", "bold"))
        if not groups:
            yield Text("  no records", "dim")
            continue
        yield fitting(console, width, (_groups(aggregate, whole_numbers=each) for each in (True, False)))
        if len(groups) > _MOST_GROUPS:
            yield Text(f"  and {count(len(groups) - _MOST_GROUPS, 'more group')}", "dim")


def _groups(aggregate: dict[str, Any], *, whole_numbers: bool) -> Grid:
    """A line for each group; an average may have 38 digits, which then go on in a second line."""
    table, groups = Grid(gap=2), aggregate["groups"]
    for name in ("", *groups[0]):
        if name in aggregate["by"]:
            table.text()
        else:
            (table.whole if whole_numbers else table.text)("right")
    table.add_row("", *(Text(name, "dim") for name in groups[0]))
    for group in groups[:_MOST_GROUPS]:
        table.add_row("", *("-" if value is None else str(value) for value in group.values()))
    return table


def aside_parts(rehearsed: Rehearsed) -> Iterator[RenderableType]:
    """What would go to quarantine, by reason, if anything would."""
    if rehearsed.aside.total:
        yield from ("", Text("  Into quarantine", "bold"))
        yield reasons_table(rehearsed.aside.reasons())


def one_of_each_kind(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The first of those that change in the same way; none that is rejected."""
    firsts: dict[str, Outcome] = {}
    for outcome in outcomes:
        if outcome.reason is None:
            firsts.setdefault(kind_of(outcome), outcome)
    return list(firsts.values())


def _kinds(kinds: Counter[str]) -> Grid:
    """How many items change in the same way."""
    table = Grid(gap=2)
    table.whole("right", least=6)
    table.text()
    shown = [(kind, number) for kind, number in kinds.most_common(_MOST_KINDS) if kind != OTHER_KINDS]
    for kind, number in shown:
        table.add_row(f"{number:,}", kind)
    rest = kinds.total() - sum(number for _, number in shown)
    if rest:
        table.add_row(f"{rest:,}", Text(OTHER_KINDS, "dim"))
    return table


_NOTHING_LOADED = {
    "dropped": "dropped: transform() returns nothing for it",
    "ahead": "ahead: its time is yet to come, and a run after it reads it again",
}


def _outcome(outcome: Outcome, width: int) -> Iterator[RenderableType]:
    head = Text.assemble("  ", (outcome.identity, "bold"), "  ")
    if outcome.reason:
        yield head + Text(f"{UNTIMED if outcome.fate == 'untimed' else 'rejected'}: {outcome.reason}", "yellow")
        yield alone(outcome.item, width)
    elif not outcome.records:
        yield head + Text(_NOTHING_LOADED[outcome.fate], "yellow")
        yield alone(outcome.item, width)
    elif len(outcome.records) == 1:
        yield head
        yield whole(compare(*before_and_after(outcome.line, outcome.records[0])), ("before", "after"), width)
    else:
        yield head + Text(f"becomes {len(outcome.records)} records", "yellow")
        yield alone(outcome.item, width)
        for number, record in enumerate(outcome.records, 1):
            yield Text(f"  record {number} of {len(outcome.records)}", "dim")
            yield whole(compare(*before_and_after(outcome.line, record)), ("before", "after"), width)
