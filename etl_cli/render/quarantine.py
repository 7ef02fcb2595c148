"""What `etl quarantine` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from etl.model.counts import rejected
from etl_cli.items.rejections import Reason, reasons_table
from etl_cli.runs.item import alone, alone_plain
from etl_cli.runs.phrases import UNTIMED, untimed_words
from etl_cli.runs.staged import SetAside
from etl_cli.terminal.console import Later, Terminal, Text
from etl_cli.terminal.grid import table_width
from etl_cli.terminal.words import count, format_instant

if TYPE_CHECKING:
    from etl_cli.items.quarantine import Quarantine
    from etl_cli.runs.ledger import Entry
    from etl_cli.terminal.etl_lines import EtlLines
    from etl_cli.terminal.times import Times

_MOST_REASONS = 5


def print_quarantines(console: Terminal, found: Sequence[Quarantine], times: Times, lines: EtlLines) -> None:
    """Print what runs have in quarantine, and how to go on.

    Args:
        console: where.
        found: a run each, the latest first.
        times: how to print instants.
        lines: makes lines for a shell.
    """
    full = [each for each in found if each.aside.total]
    if not full:
        console.print("Nothing is in quarantine.")
        return
    parts: list[RenderableType] = []
    for each in full:
        parts += [_heading(each, times), *_replayed(each.entry), reasons_table(_shown(each)), *_more(each), ""]
    console.print(Group(*parts), width=table_width(console), soft_wrap=False)
    latest = full[0].run
    console.print(f"The records:  {lines.line('quarantine', 'show', latest)}", soft_wrap=True)
    console.print(f"Run it again: {lines.line('quarantine', 'replay', latest)}", soft_wrap=True)


def quarantine_document(found: Quarantine) -> dict[str, Any]:
    """What programs are told of a run's quarantine."""
    entry = found.entry
    window = entry.window if entry else None
    return {
        "run": found.run,
        "status": entry.status if entry else None,
        "window": {"start": format_instant(window.start), "end": format_instant(window.end)} if window else None,
        "rejected": found.aside.rejected,
        "untimed": found.aside.untimed,
        "is_cut": found.is_cut,
        "reasons": [each.document() for each in found.aside.reasons()],
        "replayed": (entry.replayed if entry else None) or None,
    }


def print_records(console: Terminal, records: Iterable[SetAside], *, has_more: bool) -> None:
    """Print records of quarantine.

    Args:
        console: where.
        records: as they lie in quarantine.
        has_more: whether there are more than these.
    """
    width = table_width(console)
    for record in records:
        reason = Reason.of(record)
        kind = UNTIMED if reason.untimed else f"{record.stage.capitalize()} rejected it"
        head = Text.assemble((record.identity or "(without an id)", "bold"), "  ", (f"{kind}: {reason}", "yellow"))
        console.print(Group(head, _item(record, width), ""), width=width, soft_wrap=False)
    if has_more:
        console.print(Text("There are more: --limit says how many to show.", "dim"), width=width, soft_wrap=False)


def record_document(record: SetAside) -> Later:
    """What programs are told of a record of quarantine; a number of a transformed one that has a fraction is text."""
    return Later(lambda: _exact(record.whole()))


def _exact(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_exact(each) for each in value]
    return str(value) if isinstance(value, Decimal) else value


def _item(record: SetAside, width: int) -> RenderableType:
    # What Transform set aside lies there as it was read, what Load set aside as it was transformed.
    item = record.whole()["item"]
    return alone(item, width) if record.stage == "transform" else alone_plain(item, width)


def _heading(found: Quarantine, times: Times) -> Text:
    entry = found.entry
    more = "more than " if found.is_cut else ""
    window = f"  {times.window(*entry.window)}" if entry and entry.window else ""
    if entry and entry.replay:
        window = f"  replay of {entry.replay}"
    failed = f"  the run failed in {entry.stage}" if entry and entry.stage else ""
    number = f"  {more}{found.aside.rejected:,} rejected{untimed_words(found.aside.untimed)}"
    return Text.assemble((found.run, "bold"), window, number, (failed, "yellow"))


def _replayed(entry: Entry | None) -> list[Text]:
    """What became of a run's quarantine, if it was run again."""
    if not entry or not entry.replayed:
        return []
    noted = entry.replayed
    again, untimed = rejected(noted), noted.get("untimed", 0)
    counts = {"loaded": noted.get("loaded", 0), "rejected again": again, UNTIMED: untimed}
    counts |= {name: noted.get(name, 0) for name in ("ahead", "left")}
    told = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number or name == "loaded")
    return [
        Text(
            f"  replayed by {noted['run']}: {told}",
            "green" if not again + untimed + counts["ahead"] + counts["left"] else "yellow",
        )
    ]


def _shown(found: Quarantine) -> Sequence[Any]:
    return found.aside.reasons()[:_MOST_REASONS]


def _more(found: Quarantine) -> list[Text]:
    rest = len(found.aside.reasons()) - _MOST_REASONS
    return [Text(f"        and {count(rest, 'more reason')}", "dim")] if rest > 0 else []
