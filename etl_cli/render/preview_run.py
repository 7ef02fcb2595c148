"""What `etl preview --run` prints: what would differ from what a run loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from etl_cli.aws.raw_items import without_alike
from etl_cli.items.comparison import Comparison, FieldChanges, Key
from etl_cli.render.preview import aggregate_parts, as_in_a_run, aside_parts, verdict
from etl_cli.runs.item import changes, shown, whole
from etl_cli.runs.phrases import UNTIMED
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.grid import Grid, table_width
from etl_cli.terminal.words import count

if TYPE_CHECKING:
    from etl_cli.items.rehearsal import RehearsedRun
    from etl_cli.terminal.times import Times

_MOST_FIELDS = 30
_TITLES = ("then", "now")


def print_run(console: Terminal, rehearsed: RehearsedRun, times: Times) -> None:
    """Print what became of a run's items, and what differs from what the run made of them."""
    width = table_width(console)
    some = "" if rehearsed.complete else "the first "
    intro = f"{some}{count(rehearsed.items, 'item')} of run {rehearsed.run.id}, {as_in_a_run(rehearsed, times)}"
    parts: list[RenderableType] = [Text(intro[0].upper() + intro[1:])]
    comparison = rehearsed.comparison
    if comparison:
        parts += _examples(comparison, width)
        parts += _fields(list(comparison.fields.values()), comparison.further, width)
        parts += _keys("Made now, and not then", comparison.come_count, comparison.come)
        parts += _keys("Made then, and no more", comparison.gone_count, comparison.gone)
    parts += [
        *aside_parts(rehearsed),
        *aggregate_parts(console, width, rehearsed.aggregates),
        "",
        _numbers(rehearsed),
        "",
    ]
    parts.append(verdict(rehearsed))
    parts.append(_difference(comparison) if comparison else Text(f"  {_nothing_to_compare(rehearsed)}"))
    console.print(Group(*parts), width=width, soft_wrap=False)


def _examples(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    for example in comparison.examples:
        yield from ("", Text.assemble("  ", (example.key[0], "bold"), f"  {example.key[1]}"))
        yield whole(changes(*map(comparison.item_of, without_alike(example.then, example.now))), _TITLES, width)


def _fields(fields: Sequence[FieldChanges], further: int, width: int) -> Iterator[RenderableType]:
    if not fields:
        return
    yield from ("", Text("  Fields that differ", "bold"))
    table = Grid()
    table.whole("right", least=6)
    table.whole()
    table.text(most=width // 3)
    table.text()
    table.add_row(*(Text(title, "dim") for title in ("records", "", "field", "for example")))
    for each in sorted(fields, key=lambda found: -found.count)[:_MOST_FIELDS]:
        table.add_row(f"{each.count:,}", each.mark, each.path, _example(each))
    yield table
    if len(fields) > _MOST_FIELDS:
        yield Text(f"  and {count(len(fields) - _MOST_FIELDS, 'more field')}", "dim")
    if further:
        yield Text(f"  and further fields, in {count(further, 'record')}", "dim")


def _example(found: FieldChanges) -> Text:
    if found.example is None:
        return Text("too large to show", "dim")
    values = [shown(value) for value in (found.example.before, found.example.after) if value]
    return Text(" → ".join(values))


def _keys(title: str, number: int, keys: Iterable[Key]) -> Iterator[RenderableType]:
    if number:
        such = ", ".join(identity for identity, _ in keys)
        yield from ("", Text.assemble((f"  {title}: {number:,}", "bold"), f"  such as {such}" if such else ""))


def _numbers(rehearsed: RehearsedRun) -> Grid:
    """Records and rejections of then and now."""
    comparison = rehearsed.comparison
    then = comparison.unchanged + comparison.changed + comparison.gone_count if comparison else None
    now = rehearsed.records
    if comparison and rehearsed.complete:
        now = comparison.unchanged + comparison.changed + comparison.come_count
    table = Grid(gap=2)
    table.whole()
    table.whole("right")
    table.whole("right")
    table.add_row("", *(Text(title, "dim") for title in _TITLES))
    table.add_row("  records", "-" if then is None else f"{then:,}", f"{now:,}")
    before, after = rehearsed.aside_then, rehearsed.aside
    table.add_row("  rejected", f"{before.rejected:,}", f"{after.rejected:,}")
    if before.untimed or after.untimed:
        table.add_row(f"  {UNTIMED}", f"{before.untimed:,}", f"{after.untimed:,}")
    return table


def _difference(comparison: Comparison) -> Text:
    differing = comparison.changed + comparison.come_count + comparison.gone_count
    if not differing:
        return Text("  ✔ nothing differs from what was transformed then", "bold green")
    parts = {
        f"{count(comparison.changed, 'record')} would change": comparison.changed,
        f"{comparison.come_count:,} would come": comparison.come_count,
        f"{comparison.gone_count:,} would be made no more": comparison.gone_count,
        f"{comparison.unchanged:,} stay as they are": comparison.unchanged,
    }
    return Text("  ~ " + ", ".join(part for part, number in parts.items() if number), "bold yellow")


def _nothing_to_compare(rehearsed: RehearsedRun) -> str:
    entry = rehearsed.entry
    if entry.status == "SUCCEEDED":
        return "What it transformed has expired: there is nothing to compare with."
    return f"The run ended in {entry.stage or 'its beginning'}, before all was transformed: nothing to compare with."
