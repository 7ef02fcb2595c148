"""The output of `etl quarantine`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from etl.model.counts import NOT_REPLAYABLE, set_aside
from etl.model.stages import TRANSFORM
from etl_cli.render.item import item_table, record_table
from etl_cli.render.rejections import rejected_by, rejections_table
from etl_cli.runs.outcome_words import replay_words, untimed_words
from etl_cli.terminal.console import Lazy, Terminal, Text
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import table_width

if TYPE_CHECKING:
    from etl_cli.items.quarantine import Quarantine, QuarantinedRecord
    from etl_cli.runs.ledger import LedgerEntry
    from etl_cli.terminal.etl_lines import EtlLines
    from etl_cli.terminal.times import Times

_MOST_REASONS = 5


def print_quarantines(console: Terminal, found: Sequence[Quarantine], times: Times, lines: EtlLines) -> None:
    """Print the quarantine of runs, the latest first, and the commands to go on with."""
    full = [each for each in found if each.aside.total]
    if not full:
        console.print("Nothing is in quarantine.")
        return
    parts: list[RenderableType] = []
    for each in full:
        rejections = each.aside.rejections()
        parts += [_heading(each, times), *_replayed(each.entry), rejections_table(rejections[:_MOST_REASONS])]
        if len(rejections) > _MOST_REASONS:
            parts.append(Text(f"        and {plural(len(rejections) - _MOST_REASONS, 'more reason')}", "dim"))
        parts.append("")
    console.print(Group(*parts), width=table_width(console), soft_wrap=False)
    latest = full[0].run
    console.print(f"The records:  {lines.line('quarantine', 'show', latest)}", soft_wrap=True)
    console.print(f"Run it again: {lines.line('quarantine', 'replay', latest)}", soft_wrap=True)


def quarantine_document(found: Quarantine) -> dict[str, Any]:
    """The quarantine of one run, for programs."""
    entry = found.entry
    window = entry.window if entry else None
    return {
        "run": found.run,
        "status": entry.status if entry else None,
        "window": window.document() if window else None,
        "rejected": found.aside.rejected,
        "untimed": found.aside.untimed,
        "is_cut": found.is_cut,
        "reasons": [each.document() for each in found.aside.rejections()],
        "replayed": (entry.replayed if entry else None) or None,
    }


def print_records(console: Terminal, records: Iterable[QuarantinedRecord], *, has_more: bool) -> None:
    """Print records of quarantine."""
    width = table_width(console)
    for record in records:
        heading = Text.assemble(
            (record.key.text or "(without a key)", "bold"), "  ", (rejected_by(record.rejection), "yellow")
        )
        item = record.whole()["item"]
        first = record.schema.shown_first
        table = item_table(item, width, first) if record.stage == TRANSFORM else record_table(item, width, first)
        console.print(Group(heading, table, ""), width=width, soft_wrap=False)
    if has_more:
        console.print(Text("There are more records; a larger --limit shows them.", "dim"), width=width, soft_wrap=False)


def record_document(record: QuarantinedRecord) -> Lazy:
    """A record of quarantine with its key, for programs. In plain JSON, a number with a fraction is text."""
    return Lazy(lambda: {"key": record.key.document()} | _exact(record.whole()))


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_exact(each) for each in value]
    return str(value) if isinstance(value, Decimal) else value


def _heading(found: Quarantine, times: Times) -> Text:
    entry = found.entry
    more = "more than " if found.is_cut else ""
    window = f"  {times.window(*entry.window)}" if entry and entry.window else ""
    if entry and entry.replay:
        window = f"  replay of {entry.replay}"
    failed = f"  the run failed in {entry.stage}" if entry and entry.stage else ""
    number = f"  {more}{found.aside.rejected:,} rejected{untimed_words(found.aside.untimed)}"
    return Text.assemble((found.run, "bold"), window, number, (failed, "yellow"))


def _replayed(entry: LedgerEntry | None) -> list[Text]:
    """The outcome of a replay of the run's quarantine, if there was one."""
    if not entry or not entry.replayed:
        return []
    counts = entry.replayed
    not_loaded = set_aside(counts) + counts.get("ahead", 0) + counts.get(NOT_REPLAYABLE, 0)
    return [Text(f"  {replay_words(counts)}", "yellow" if not_loaded else "green")]
