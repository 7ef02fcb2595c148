"""The output of `etl preview --run`: the differences from the records of that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from etl_cli.aws.raw_items import without_equal
from etl_cli.items.comparison import Comparison, FieldChanges
from etl_cli.items.preview import has_transformed
from etl_cli.render.item import changes_table, value_text
from etl_cli.render.preview import as_in_a_run, summary_parts, verdict
from etl_cli.render.sections import section
from etl_cli.runs.item_changes import changes
from etl_cli.runs.outcome_words import UNTIMED
from etl_cli.runs.staged import loaded_item
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import Grid, table_width

if TYPE_CHECKING:
    from etl_cli.items.item_key import ItemKey
    from etl_cli.items.preview import RunPreview
    from etl_cli.terminal.times import Times

_MOST_FIELDS = 30
_TITLES = ("then", "now")


def print_run_preview(console: Terminal, preview: RunPreview, times: Times) -> None:
    """Print the outcomes of a run's items, and the differences from the run's own records."""
    width = table_width(console)
    some = "" if preview.complete else "The first "
    intro = f"{some}{plural(preview.items, 'item')} of run {preview.run.id}, {as_in_a_run(preview, times)}"
    parts: list[RenderableType] = [Text(intro)]
    comparison = preview.comparison
    if comparison:
        parts += _examples(comparison, width)
        parts += _fields(list(comparison.fields.values()), comparison.further, width)
        parts += _keys("New records", comparison.come_count, map(comparison.named, comparison.come))
        parts += _keys("Records no longer made", comparison.gone_count, map(comparison.named, comparison.gone))
    parts += [*summary_parts(console, preview, width), "", _numbers(preview), "", verdict(preview)]
    parts.append(_difference(comparison) if comparison else Text(f"  {_nothing_to_compare(preview)}"))
    console.print(Group(*parts), width=width, soft_wrap=False)


def _examples(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    for example in comparison.examples:
        first, *others = example.key
        yield from ("", Text.assemble("  ", (first, "bold"), f"  {' '.join(others)}"))
        yield changes_table(changes(*map(loaded_item, without_equal(example.then, example.now))), _TITLES, width)


def _fields(fields: Sequence[FieldChanges], further: int, width: int) -> Iterator[RenderableType]:
    if not fields:
        return
    table = Grid()
    table.whole("right", least=6)
    table.whole()
    table.text(most=width // 3)
    table.text()
    table.add_row(*(Text(title, "dim") for title in ("records", "", "field", "for example")))
    for each in sorted(fields, key=lambda found: -found.count)[:_MOST_FIELDS]:
        table.add_row(f"{each.count:,}", each.mark, each.path, _example(each))
    yield from section("Fields that differ", table)
    if len(fields) > _MOST_FIELDS:
        yield Text(f"  and {plural(len(fields) - _MOST_FIELDS, 'more field')}", "dim")
    if further:
        yield Text(f"  and further fields, in {plural(further, 'record')}", "dim")


def _example(found: FieldChanges) -> Text:
    if found.example is None:
        return Text("too large to show", "dim")
    values = [value_text(value) for value in (found.example.before, found.example.after) if value]
    return Text(" → ".join(values))


def _keys(title: str, number: int, keys: Iterable[ItemKey]) -> Iterator[RenderableType]:
    if number:
        such = ", ".join(" ".join(key.values) for key in keys)
        yield from ("", Text.assemble((f"  {title}: {number:,}", "bold"), f"  such as {such}" if such else ""))


def _numbers(preview: RunPreview) -> Grid:
    """Records and rejections of then and now."""
    comparison = preview.comparison
    then, now = "-", preview.records
    if comparison:
        stayed = comparison.unchanged + comparison.changed
        then = f"{stayed + comparison.gone_count:,}"
        now = stayed + comparison.come_count if preview.complete else now
    table = Grid(gap=2)
    table.whole()
    table.whole("right")
    table.whole("right")
    table.add_row("", *(Text(title, "dim") for title in _TITLES))
    table.add_row("  records", then, f"{now:,}")
    before, after = preview.aside_then, preview.aside
    table.add_row("  rejected", f"{before.rejected:,}", f"{after.rejected:,}")
    if before.untimed or after.untimed:
        table.add_row(f"  {UNTIMED}", f"{before.untimed:,}", f"{after.untimed:,}")
    return table


def _difference(comparison: Comparison) -> Text:
    if not comparison.changed + comparison.come_count + comparison.gone_count:
        return Text("  ✔ no record differs from that run", "bold green")
    parts = {
        f"{plural(comparison.changed, 'record')} would change": comparison.changed,
        f"{comparison.come_count:,} would be new": comparison.come_count,
        f"{comparison.gone_count:,} would no longer be made": comparison.gone_count,
        f"{comparison.unchanged:,} stay as they are": comparison.unchanged,
    }
    return Text("  ~ " + ", ".join(part for part, number in parts.items() if number), "bold yellow")


def _nothing_to_compare(preview: RunPreview) -> str:
    entry = preview.entry
    if has_transformed(entry):
        return "Nothing to compare with: the transformed records of the run have expired."
    return f"Nothing to compare with: the run ended in {entry.stage or 'its beginning'}, before Transform was done."
