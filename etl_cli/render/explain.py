"""The output of `etl explain`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding

from etl.model.keys import names_of
from etl.model.statuses import SUCCEEDED, words_for
from etl.tables.change_time import ABSENT
from etl_cli.items.item_time import in_words
from etl_cli.items.search import ItemInRun
from etl_cli.render.item import changes_table, item_table
from etl_cli.render.rejections import rejected_by
from etl_cli.runs.item_changes import Item, compare
from etl_cli.runs.staged import loaded_item
from etl_cli.terminal.console import Lazy, Terminal, Text
from etl_cli.terminal.formats import plural
from etl_cli.terminal.grid import Grid, table_width
from etl_cli.terminal.printable import MOST_OF_VALUE, printable

if TYPE_CHECKING:
    from etl_cli.items.explanation import Explanation
    from etl_cli.items.explanation_verdict import Verdict
    from etl_cli.terminal.times import Times

_STYLES = {"loaded": "green", "dropped": "green", "unknown": "", "overwritten": ""}


def print_explanation(
    console: Terminal, explanation: Explanation, verdict: Verdict, tables: tuple[str, str], times: Times
) -> None:
    """Print an item's way."""
    width = table_width(console)
    head = Group(Text(explanation.key.text, "bold"), "", _way(explanation, tables, times))
    says = Text(verdict.says, f"bold {_STYLES.get(verdict.outcome, 'yellow')}".strip())
    advice = Group("", *(Padding(text, (0, 0, 0, 2)) for text in (says, Text(verdict.advice)) if text))
    for part in chain([head], _items(explanation, tables, width), [advice]):
        console.print(part, width=width, soft_wrap=False)
    for line in verdict.lines:
        console.print(f"    {line}", soft_wrap=True)


def explanation_document(explanation: Explanation, verdict: Verdict) -> dict[str, Any]:
    """An item's way, for programs. Items are DynamoDB JSON, binaries in base64."""
    return {
        "id": explanation.key.text,
        "key": explanation.key.document(),
        "outcome": verdict.outcome,
        "says": verdict.says,
        "advice": verdict.advice,
        "commands": verdict.lines,
        "source": _later(json.loads, explanation.source),
        "timestamp_problem": explanation.untimed.facts() if explanation.untimed else None,
        "source_has_changed": explanation.has_changed,
        "runs": [_run_document(found) for found in explanation.runs],
        "made": [_later(loaded_item, line) for line in explanation.made],
        "destination": [_later(json.loads, line) for line in explanation.destination],
        "destination_is_as_made": explanation.is_as_made,
    }


def _later(make: Callable[[bytes], Item], line: bytes | None) -> Lazy | None:
    return None if line is None else Lazy(partial(make, line))


def _run_document(found: ItemInRun) -> dict[str, Any]:
    return {
        "run": found.entry.run,
        "execution": found.entry.execution,
        "status": found.entry.status,
        "state": found.state,
        "item": _later(json.loads, found.line),
        "records": found.made.number,
        "rejections": [{"stage": each.stage, **each.facts()} for each in found.rejections],
    }


def _way(explanation: Explanation, tables: tuple[str, str], times: Times) -> Grid:
    table = Grid(gap=2)
    table.whole(style="dim")
    table.whole()
    table.text()
    sections: dict[str, list[tuple[str, RenderableType]]] = {
        "source": _named(tables[0], _source_rows(explanation)),
        "runs": list(_run_rows(explanation, times)),
        "destination": _named(tables[1], _destination_rows(explanation)),
    }
    for title, rows in sections.items():
        for number, row in enumerate(rows):
            table.add_row("" if number else f"  {title}", *row)
    return table


def _named(name: str, rows: Iterator[str]) -> list[tuple[str, RenderableType]]:
    """Rows of a table, its name in the first."""
    return [("" if number else name, row) for number, row in enumerate(rows)]


def _source_rows(explanation: Explanation) -> Iterator[str]:
    if explanation.source is None:
        yield "not there"
        return
    time = explanation.schema.time
    if time.format != "none":
        yield f"{time.text} {_shown(explanation.time)}" if explanation.time is not ABSENT else f"without a {time.text}"
    if words := in_words(time, explanation.span):
        yield words
    if explanation.has_changed:
        yield "another version than the latest run read"


def _run_rows(explanation: Explanation, times: Times) -> Iterator[tuple[str, RenderableType]]:
    searched = [found for found in explanation.runs if found.state != "not searched"]
    for found in searched:
        yield found.entry.label, _run(found, times)
    if unsearched := len(explanation.runs) - len(searched):
        yield f"{unsearched:,} more", "cover it and were not searched (--runs)"
    if not explanation.runs:
        ahead = explanation.instant is not None and explanation.instant >= explanation.now
        later = " yet: each run leaves it to a later one" if ahead else ""
        time = explanation.schema.time
        yield "-", "none yet" if time.format == "none" else f"none covers its {time.text}{later}"


def _run(found: ItemInRun, times: Times) -> Group:
    entry = found.entry
    status = "" if entry.status == SUCCEEDED else f"; {words_for(entry.status).word}"
    status += f" in {entry.stage}" if entry.stage else ""
    window = times.window(*entry.window) if entry.window else ""
    return Group(_state_words(found) + status, f"replay of {entry.replay}" if entry.replay else window)


def _state_words(found: ItemInRun) -> str:
    if found.rejections:
        return f"read it, {rejected_by(found.rejections[0])}"
    if found.excluded:
        return "read it, and left it out since it had no time"
    if found.state == "other keys":
        return "read tables with other keys than now"
    if found.state != "read":
        return "did not read it" if found.state == "not read" else "its staged objects have expired"
    if not found.records:
        return "read it, and made no record of this key"
    ids = " with other keys" if found.made.related else ""
    return f"read it, and made {plural(found.made.number, 'record')}{ids}"


def _destination_rows(explanation: Explanation) -> Iterator[str]:
    if not explanation.destination:
        yield "not there"
    for line in explanation.destination:
        key, own = explanation.key_of(line), explanation.key
        known = len(own.values) if key.values[: len(own.values)] == own.values else 0
        named = list(zip(names_of(key.attributes), key.values, strict=True))[known:]
        parts = [value if (name,) == names_of(own.attributes) else f"{name} {value}" for name, value in named]
        parts += ["as the latest run made it"] if line in explanation.as_made else []
        yield ", ".join(parts)


def _shown(value: Any) -> str:
    """A value of a time in one printable line."""
    return printable(value if isinstance(value, str) and value else json.dumps(value, default=str), MOST_OF_VALUE)


def _items(explanation: Explanation, tables: tuple[str, str], width: int) -> Iterator[RenderableType]:
    """The item next to its records in the destination. If there are none, next to the records of the latest run."""
    latest, first = explanation.latest, explanation.schema.shown_first
    is_rejected = latest is not None and bool(latest.rejections)
    before = (latest.line if latest and not is_rejected else None) or explanation.source
    after = explanation.as_made or explanation.destination[:1]
    make: Callable[[bytes], Item] = json.loads
    if not after:
        after, make = explanation.made, loaded_item
    if before is None:
        yield from (Group("", item_table(make(line), width, first)) for line in after)
    elif not after or is_rejected:
        yield Group("", item_table(json.loads(before), width, first))
    else:
        titles = "as it was read" if latest else tables[0], tables[1] if explanation.destination else "made, not there"
        for line in after:
            made = make(line)  # takes most memory, and so comes first
            yield Group("", changes_table(compare(json.loads(before), made, first), titles, width))
