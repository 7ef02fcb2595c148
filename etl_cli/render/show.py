"""What `etl show` tells people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.model.counts import set_aside
from etl_cli.costs.cost import money
from etl_cli.render.board import Board
from etl_cli.render.plan import uses
from etl_cli.render.report import print_failure, print_report, print_title
from etl_cli.render.runs_table import replay_words
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.failure import Failure, look_words
from etl_cli.runs.history import STAGES, Timeline
from etl_cli.runs.progress import Snapshot
from etl_cli.summary.record import RunRecord
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import WIDEST, Grid
from etl_cli.terminal.printable import wrapped
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import count, duration

_UNKNOWN = "-"


def print_record(console: Terminal, record: RunRecord, tables: tuple[str, str], times: Times, etl: EtlLines) -> None:
    """Print all that is known of a run.

    Args:
        console: where.
        record: the run.
        tables: names of the source table and of the destination table.
        times: prints instants.
        etl: makes lines of this command.
    """
    if record.report:
        print_report(console, record.report, tables, times=times)
    elif record.failure:
        print_failure(console, record.failure)
        _section(console, "What to do", _advice(console, record, record.failure, times, etl))
    else:
        console.print()
        console.print(Text(f"  … The run is {record.status.lower()}", "cyan"))
        _section(console, "What to do", [f"Watch it: {etl.line('watch', record.entry.name)}"])
    if record.timeline and not record.report:
        _print_stages(console, record.timeline, times)
    _section(console, "Execution", _facts(record, times))
    _section(console, "Quarantine", _quarantine(console, record, etl))
    _print_cost(console, record)
    _section(console, "In the AWS console", (f"{name:<18}{link}" for name, link in record.links.items()))


def _section(console: Terminal, title: str, lines: Iterable[str]) -> None:
    """Print lines below a title, if there are any; none is broken, so that it can be copied."""
    for number, line in enumerate(lines):
        if number == 0:
            print_title(console, title)
        console.print(Text(f"  {line}"), soft_wrap=True)


def _advice(console: Terminal, record: RunRecord, failure: Failure, times: Times, etl: EtlLines) -> Iterator[str]:
    """What to do about a failure, and about what is missing by it."""
    yield from _wrapped(console, failure.remedy)
    yield f"  {etl.line(*look_words(failure))}"
    if record.entry.window and not record.missing:
        yield "Nothing is missing: other runs have covered its window."
    mark = record.watermark
    for span in record.missing:
        how = "No scheduled run will cover it; this does:"
        if mark is not None and span.start >= mark.end:
            how = "The next scheduled run covers it too, or at once:"
        yield from _wrapped(console, f"Missing: {times.window(*span)}. {how}")
        yield f"  {etl.run(span)}"


def _wrapped(console: Terminal, text: str) -> list[str]:
    return wrapped(text, min(console.width, WIDEST) - 2)


def _print_stages(console: Terminal, timeline: Timeline, times: Times) -> None:
    print_title(console, "Stages")
    with Board(console, STAGES, owns=False) as board:
        snapshot = Snapshot(timeline)
        running_for = (snapshot.looked_at - timeline.started).total_seconds() if timeline.started else 0.0
        board.count_from(running_for if timeline.seconds is None else timeline.seconds)
        for step in stage_steps(snapshot, times):
            if step.state != "waiting":
                board.show(step)


def _facts(record: RunRecord, times: Times) -> Iterator[str]:
    entry = record.entry
    facts = {"Name": entry.name}
    if not record.report:  # which says it too
        facts["Run"] = entry.run or "none: it ended before Plan had named it"
        facts["Window"] = times.window(*entry.window) if entry.window else "none: it ended before Plan had fixed one"
        if entry.replay:
            facts["Replay of"] = f"what run {entry.replay} had in quarantine"
    if entry.started:
        facts["Started"] = times.instant(entry.started)
    if entry.finished and entry.seconds is not None:
        facts["Ended"] = f"{times.instant(entry.finished)}, after {duration(entry.seconds)}"
    if entry.segments:
        facts["Segments"] = f"{entry.segments:,}"
    if record.report and record.timeline is None:
        facts["Stages"] = "Step Functions has forgotten their durations, 90 days after the run"
    for name, value in facts.items():
        yield f"{name:<10}{value}"


def _quarantine(console: Terminal, record: RunRecord, etl: EtlLines) -> Iterator[str]:
    """The records that a run set aside, and what became of them."""
    entry, number = record.entry, set_aside(record.entry.counts)
    if number:
        yield f"{count(number, 'item')}: {etl.line('quarantine', 'show', entry.run)}"
    if entry.replayed:
        yield from _wrapped(console, replay_words(entry))
    elif number:
        yield f"not replayed yet: {etl.line('quarantine', 'replay', entry.run)}"


def _print_cost(console: Terminal, record: RunRecord) -> None:
    cost, predicted = record.cost, record.predicted
    table = Grid(gap=3)
    table.whole()
    table.text()
    for _ in ("cost", "predicted"):
        table.whole("right")
    table.add_row("", "", *(Text(head, "dim") for head in ("cost", "predicted")))
    for service, dollars in cost.services.items():
        before = money(predicted.services[service]) if predicted else _UNKNOWN
        table.add_row(f"  {service}", uses(service, cost.usage), money(dollars), before)
    before = money(predicted.total) if predicted else _UNKNOWN
    table.add_row("  in all", "", Text(money(cost.total), "bold"), before)
    so_far = " so far" if record.status == "RUNNING" else ""
    print_title(console, f"Capacity and cost{so_far}")
    console.print(table, soft_wrap=False)
    notes = [f"Prices {cost.prices.source}."]
    if predicted:
        notes.append("Predicted is what etl plan would have said before, with the settings of now.")
    if cost.estimated:
        notes.append(f"Not counted but reckoned: {', '.join(name.replace('_', ' ') for name in cost.estimated)}.")
    for line in _wrapped(console, " ".join(notes)):
        console.print(Text(f"  {line}", "dim"), soft_wrap=True)
