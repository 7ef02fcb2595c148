"""What `etl explain` prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding

from etl.model.statuses import WORDS
from etl_cli.items.search import Found
from etl_cli.runs.item import Item, alone, compare, shown, whole
from etl_cli.runs.phrases import UNTIMED
from etl_cli.runs.staged import text_of
from etl_cli.runs.staged_record import loaded_item
from etl_cli.terminal.console import Later, Terminal, Text
from etl_cli.terminal.grid import Grid, table_width
from etl_cli.terminal.words import count

if TYPE_CHECKING:
    from etl_cli.items.explanation import Explanation
    from etl_cli.items.verdict import Verdict
    from etl_cli.terminal.times import Times

_STYLES = {"loaded": "green", "dropped": "green", "unknown": "", "overwritten": ""}


def print_explanation(
    console: Terminal, explanation: Explanation, verdict: Verdict, tables: tuple[str, str], times: Times
) -> None:
    """Print an item's way.

    Args:
        console: where.
        explanation: all that is known of it.
        verdict: what that comes to.
        tables: names of the source table and of the destination table.
        times: how to print instants.
    """
    width = table_width(console)
    head = Group(Text(explanation.identity, "bold"), "", _way(explanation, tables, times))
    says = Text(verdict.says, f"bold {_STYLES.get(verdict.outcome, 'yellow')}".strip())
    advice = Group("", *(Padding(text, (0, 0, 0, 2)) for text in (says, Text(verdict.advice)) if text))
    for part in chain([head], _items(explanation, tables, width), [advice]):
        console.print(part, width=width, soft_wrap=False)
    for line in verdict.lines:
        console.print(f"    {line}", soft_wrap=True)


def explanation_document(explanation: Explanation, verdict: Verdict) -> dict[str, Any]:
    """What `etl explain --json` prints. Items are DynamoDB JSON, binaries in base64."""
    return {
        "id": explanation.identity,
        "outcome": verdict.outcome,
        "says": verdict.says,
        "advice": verdict.advice,
        "commands": verdict.lines,
        "source": _later(json.loads, explanation.source),
        "timestamp_problem": explanation.untimed._asdict() if explanation.untimed else None,
        "source_has_changed": explanation.has_changed,
        "runs": [_run_document(found) for found in explanation.runs],
        "made": [_later(loaded_item, line) for line in explanation.made],
        "destination": [_later(json.loads, line) for line in explanation.destination],
        "destination_is_as_made": explanation.is_as_made,
    }


def _later(make: Callable[[bytes], Item], line: bytes | None) -> Later | None:
    return None if line is None else Later(partial(make, line))


def _run_document(found: Found) -> dict[str, Any]:
    return {
        "run": found.entry.run,
        "execution": found.entry.execution,
        "status": found.entry.status,
        "state": found.state,
        "item": _later(json.loads, found.line),
        "records": found.made.number,
        "rejections": [{"stage": stage, **reason._asdict()} for stage, reason in found.rejections],
    }


def _way(explanation: Explanation, tables: tuple[str, str], times: Times) -> Grid:
    table = Grid(gap=2)
    table.whole(style="dim")
    table.whole()
    table.text()
    for number, row in enumerate(_source_rows(explanation)):
        table.add_row("  source" if not number else "", tables[0] if not number else "", row)
    listed = [found for found in explanation.runs if found.state != "not searched"]
    unsearched = len(explanation.runs) - len(listed)
    for number, found in enumerate(listed):
        table.add_row("  runs" if not number else "", found.entry.label, _run(found, times))
    if unsearched:
        table.add_row("" if listed else "  runs", f"{unsearched:,} more", "cover it and were not searched (--runs)")
    if not explanation.runs:
        ahead = explanation.instant is not None and explanation.instant >= explanation.now
        later = " yet: each run leaves it to a later one" if ahead else ""
        table.add_row("  runs", "-", f"none covers its timestamp{later}")
    for number, row in enumerate(_destination_rows(explanation)):
        table.add_row("  destination" if not number else "", tables[1] if not number else "", row)
    return table


def _source_rows(explanation: Explanation) -> Iterator[str]:
    if explanation.source is None:
        yield "not there"
        return
    timestamp = explanation.timestamp
    yield f"timestamp {shown(timestamp)}" if timestamp else "without a timestamp"
    if explanation.has_changed:
        yield "another version than the latest run read"


def _run(found: Found, times: Times) -> Group:
    entry = found.entry
    window = times.window(*entry.window) if entry.window else ""
    status = "" if entry.status == "SUCCEEDED" else f"; {WORDS.get(entry.status, entry.status.lower())}"
    status += f" in {entry.stage}" if entry.stage else ""
    kind = f"replay of {entry.replay}" if entry.replay else window
    return Group(_what(found) + status, kind)


def _what(found: Found) -> str:
    if found.rejections:
        stage, reason = found.rejections[0]
        return f"read it, {UNTIMED if reason.untimed else f'{stage.capitalize()} rejected it'}: {reason}"
    words = {
        "not read": "did not read it",
        "gone": "nothing of it is staged any more",
    }
    if found.state != "read":
        return words[found.state]
    if not found.records:
        return "read it, no record of this id came of it"
    return f"read it, {count(found.made.number, 'record')} came of it" + (
        " with other ids" if found.made.related else ""
    )


def _destination_rows(explanation: Explanation) -> Iterator[str]:
    if not explanation.destination:
        yield "not there"
    for line in explanation.destination:
        identity = text_of(line, "id")
        name = f"{identity}, " if identity != explanation.identity else ""
        as_made = ", as the latest run made it" if line in explanation.as_made else ""
        yield f"{name}timestamp {text_of(line, 'timestamp')}{as_made}"


def _items(explanation: Explanation, tables: tuple[str, str], width: int) -> Iterator[RenderableType]:
    """The item, and beside it what is at the destination or, if nothing is, what the latest run made of it."""
    latest = explanation.latest
    before = (latest.line if latest and not latest.rejections else None) or explanation.source
    after = explanation.as_made or explanation.destination[:1]
    make: Callable[[bytes], Item] = json.loads
    if not after:
        after, make = explanation.made, loaded_item
    title = tables[1] if explanation.destination else "made, and not there"
    if before is None:
        yield from (Group("", alone(make(line), width)) for line in after)
    elif not after or (latest and latest.rejections):
        yield Group("", alone(json.loads(before), width))
    else:
        titles = _title(latest, tables[0]), title
        for line in after:
            made = make(line)  # takes most memory, and so is made first
            yield Group("", whole(compare(json.loads(before), made), titles, width))


def _title(latest: Found | None, table: str) -> str:
    return "as it was read" if latest else table
