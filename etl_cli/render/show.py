"""The view of `etl show`: one run, from its window to its cost."""

from __future__ import annotations

from collections.abc import Iterator

from etl.model.counts import set_aside
from etl.model.stages import STATES
from etl.model.statuses import RUNNING, words_for
from etl_cli.costs.cost import Cost, money
from etl_cli.render.board import Board
from etl_cli.render.failure import print_failure
from etl_cli.render.plan import uses
from etl_cli.render.report import print_report
from etl_cli.render.sections import print_section, print_sum, print_title
from etl_cli.render.stage_steps import stage_steps
from etl_cli.runs.failure import Failure, look_words
from etl_cli.runs.history import Timeline
from etl_cli.runs.outcome_words import replay_words
from etl_cli.runs.progress import Snapshot
from etl_cli.summary.run_summary import Account, RunSummary
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, plural
from etl_cli.terminal.grid import readable
from etl_cli.terminal.times import Times

_UNKNOWN = "-"
NO_RUN = "none: it ended before Plan had named it"
NO_WINDOW = "none: it ended before Plan had fixed one"


def print_run(
    console: Terminal, summary: RunSummary, account: Account, tables: tuple[str, str], times: Times, etl: EtlLines
) -> None:
    """Print all that is known of a run."""
    if summary.succeeded:
        print_report(console, summary, tables, times=times)
    elif summary.failure:
        print_failure(console, summary.failure)
        print_section(console, "What to do", _advice(console, summary, account, summary.failure, times, etl))
    else:
        console.print()
        console.print(Text(f"  … The run is {words_for(summary.status).word}", "cyan"))
        print_section(console, "What to do", [f"Watch it: {etl.line('watch', summary.entry.name)}"])
    if summary.timeline and not summary.succeeded:
        _print_stages(console, summary.timeline, times)
    print_section(console, "Execution", _facts(summary, times))
    print_section(console, "Quarantine", _quarantine(console, summary, etl))
    _print_cost(console, account, so_far=summary.status == RUNNING)
    print_section(console, "In the AWS console", (f"{name:<18}{link}" for name, link in account.links.items()))


def _advice(
    console: Terminal, summary: RunSummary, account: Account, failure: Failure, times: Times, etl: EtlLines
) -> Iterator[str]:
    """The remedy of a failure, and commands that cover the missing time."""
    yield from readable(console, failure.remedy, 2)
    yield f"  {etl.line(*look_words(failure))}"
    if summary.entry.window and not account.missing:
        yield "Nothing is missing: other runs have covered its window."
    mark = account.watermark
    for span in account.missing:
        how = "No scheduled run will cover it; this does:"
        if mark is not None and span.start >= mark.end:
            how = "The next scheduled run covers it too, or at once:"
        yield from readable(console, f"Missing: {times.window(*span)}. {how}", 2)
        yield f"  {etl.run(span)}"


def _print_stages(console: Terminal, timeline: Timeline, times: Times) -> None:
    print_title(console, "Stages")
    with Board(console, STATES, owns=False) as board:
        snapshot = Snapshot(timeline)
        running_for = (snapshot.looked_at - timeline.started).total_seconds() if timeline.started else 0.0
        board.count_from(running_for if timeline.seconds is None else timeline.seconds)
        for step in stage_steps(snapshot, times):
            if step.state != "waiting":
                board.show(step)


def _facts(summary: RunSummary, times: Times) -> Iterator[str]:
    entry = summary.entry
    facts = {"Name": entry.name}
    if not summary.succeeded:  # the report has these facts
        facts["Run"] = entry.run or NO_RUN
        facts["Window"] = times.window(*entry.window) if entry.window else NO_WINDOW
        if entry.replay:
            facts["Replay of"] = f"the quarantine of run {entry.replay}"
    if entry.started:
        facts["Started"] = times.instant(entry.started)
    if entry.finished and entry.seconds is not None:
        facts["Ended"] = f"{times.instant(entry.finished)}, after {duration(entry.seconds)}"
    if entry.segments:
        facts["Segments"] = f"{entry.segments:,}"
    if summary.succeeded and summary.timeline is None:
        facts["Stages"] = "Step Functions has forgotten their durations, 90 days after the run"
    for name, value in facts.items():
        yield f"{name:<10}{value}"


def _quarantine(console: Terminal, summary: RunSummary, etl: EtlLines) -> Iterator[str]:
    """The records that a run set aside, and the result of their replay."""
    entry, number = summary.entry, set_aside(summary.entry.counts)
    if number:
        yield f"{plural(number, 'item')}: {etl.line('quarantine', 'show', entry.run)}"
    if entry.replayed:
        yield from readable(console, replay_words(entry.replayed), 2)
    elif number:
        yield f"not replayed yet: {etl.line('quarantine', 'replay', entry.run)}"


def _print_cost(console: Terminal, account: Account, *, so_far: bool) -> None:
    cost, predicted = account.cost, account.predicted
    rows = [["", "", "cost", "predicted"]]
    for service, dollars in cost.services.items():
        before = money(predicted.services[service]) if predicted else _UNKNOWN
        rows.append([service, uses(service, cost.usage), money(dollars), before])
    rows.append(["in all", "", money(cost.total), money(predicted.total) if predicted else _UNKNOWN])
    print_title(console, f"Capacity and cost{' so far' if so_far else ''}")
    print_sum(console, rows, "ltrr")
    for line in readable(console, cost_notes(cost, predicted), 2):
        console.print(Text(f"  {line}", "dim"), soft_wrap=True)


def cost_notes(cost: Cost, predicted: Cost | None) -> str:
    """The sources of the numbers of a cost."""
    notes = [f"Prices {cost.prices.source}."]
    if predicted:
        notes.append("Predicted is the estimate of etl plan before the run, with the settings of now.")
    if cost.estimated:
        notes.append(f"Estimated, not counted: {', '.join(name.replace('_', ' ') for name in cost.estimated)}.")
    return " ".join(notes)
