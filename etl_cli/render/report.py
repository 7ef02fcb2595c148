"""The report of a run, and the message of a failure, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding

from etl_cli.aws.cli_lines import Command
from etl_cli.items.rejections import Rejection
from etl_cli.render.item import changes_table
from etl_cli.runs.counts import untimed_words
from etl_cli.runs.failure import Failure, look_words
from etl_cli.runs.item import compare
from etl_cli.runs.statuses import ended
from etl_cli.summary.report import Equation, RunReport
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import NARROWEST, WIDEST, Grid, fitting, table_width
from etl_cli.terminal.printable import wrapped
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import count, duration, number, parse_instant

_MOST_GROUPS = 8
SAMPLE_TITLES = ("as the run read it", "as the run made it")


def print_report(
    console: Terminal,
    report: RunReport,
    tables: tuple[str, str],
    verified: Verified | None = None,
    times: Times | None = None,
) -> None:
    """Print all that is told of a run.

    Args:
        console: where.
        report: the run.
        tables: names of the source table and of the destination table.
        verified: what was counted in the tables; None if nothing was.
        times: how to print instants; in UTC if left out.
    """
    width = table_width(console)
    sections: list[tuple[str, RenderableType]] = [
        ("Durations", fitting(console, width, _durations(report))),
        ("Balance", fitting(console, width, _balance(report))),
    ]
    if verified:
        sections[-1] = ("Balance", Group(sections[-1][1], _counted(report, tables, verified)))
    if report.rejections:
        table = _reasons(report.rejections) if report.left_out else _rejections(report.rejections, width)
        sections.append((_rejected_title(report), table))
    sections += [(_aggregate_title(each), _aggregate(each)) for each in report.aggregates]
    if report.sample:
        item = changes_table(compare(*report.sample.sides()), SAMPLE_TITLES, width)
        sections.append(("One item, before and after", item))
    parts: list[RenderableType] = ["", _verdict(report), "", _facts(report, times or Times())]
    for title, body in sections:
        parts += ["", Text(f"  {title}", "bold"), body]
    if report.left_out:
        parts += ["", Padding(Text(report.left_out, "dim"), (0, 0, 0, 2))]
    # A narrower terminal breaks lines, which is better than numbers that are cut off.
    console.width = max(console.width, NARROWEST)
    console.print(Group(*parts), width=width, soft_wrap=False)


def print_title(console: Terminal, title: str) -> None:
    """Print the title of what follows."""
    console.print()
    console.print(Text(f"  {title}", "bold"), soft_wrap=True)


def print_commands(console: Terminal, commands: Sequence[Command], title: str = "Look further") -> None:
    """Print lines for a shell, none of them broken, so that they can be copied."""
    print_title(console, title)
    for command in commands:
        console.print(f"  # {command.shows}", style="dim", soft_wrap=True)
        console.print(f"  {command.line}", soft_wrap=True)


def print_failure(console: Terminal, failure: Failure) -> None:
    """Print why an execution did not succeed."""
    told = ended(failure.status, failure.stage, failure.error)
    console.print()
    console.print(Text.assemble("  ", (f"✘ The run {told}", "bold red")), soft_wrap=True)
    width = min(console.width, WIDEST)
    message = wrapped(failure.message, width - 6)
    for lines, style in ((message, ""), (failure.where, "dim")):
        if lines:
            console.print()
        for line in lines:
            console.print(Text(f"    {line}", style), soft_wrap=True)


def print_advice(console: Terminal, failure: Failure, lines: EtlLines) -> None:
    """Print what to do about a failure, and where to look."""
    print_title(console, "What to do")
    for line in wrapped(failure.remedy, min(console.width, WIDEST) - 4):
        console.print(f"  {line}", soft_wrap=True)
    name = failure.run or failure.execution.rpartition(":")[2]
    for words in (look_words(failure), ["show", name]):
        console.print(f"  {lines.line(*words)}", soft_wrap=True)


def _verdict(report: RunReport) -> Text:
    if not all(equation.holds for equation in report.balance()):
        return Text("  ✘ The run succeeded, and its counts don't add up", "bold red")
    untimed = report.counts.get("untimed", 0)
    reasons = " with its reason" if report.rejected == 1 else " with their reasons"
    # With items without a time the line would be longer than 80 columns.
    rejected = f"{report.rejected:,} rejected{'' if untimed else reasons}" if report.rejected else "none rejected"
    rejected += untimed_words(untimed)
    ahead = f", {report.counts['ahead']:,} left to a later run" if report.counts.get("ahead") else ""
    return Text(f"  ✔ {report.counts['loaded']:,} loaded, {rejected}{ahead}, nothing unaccounted for", "bold green")


def _facts(report: RunReport, times: Times) -> Grid:
    table = _grid()
    table.whole(style="dim")
    table.whole()
    table.add_row("", "Run", report.run)
    if report.replay:
        table.add_row("", "Replay of", f"what run {report.replay} had in quarantine")
    start, end = (parse_instant(report.window[name]) for name in ("start", "end"))
    table.add_row("", "Window", times.window(start, end))
    return table


def _durations(report: RunReport) -> Iterator[Grid]:
    """The stages side by side, or below each other."""
    shown = report.stages | {"in all": report.seconds}
    across, down = _grid(), _grid()
    for name in shown:
        across.whole("right", least=8 if name != "Plan" else 0)
    across.add_row("", *(Text(name, "dim") for name in shown))
    across.add_row("", *(duration(seconds) for seconds in shown.values()))
    down.whole()
    down.whole("right")
    for name, seconds in shown.items():
        down.add_row("", Text(name, "dim"), duration(seconds))
    yield from (across, down)


def _balance(report: RunReport) -> Iterator[Grid]:
    """Its lines with as many parts as may be, and with fewer."""
    scanned, read = report.counts.get("scanned", 0), report.counts["read"]
    outside = Equation("scanned", scanned, {"read": read, "outside": scanned - read})
    for parts in (3, 2, 1):
        table = _grid()
        for position in range(3 + 3 * parts):
            table.whole("right" if position == 1 or (position >= 3 and position % 3 == 0) else "left")
        for equation in [*([] if report.replay else [outside]), *report.balance()]:
            for row in _equation(equation, parts):
                table.add_row("", *row)
        yield table


def _counted(report: RunReport, tables: tuple[str, str], verified: Verified) -> Grid:
    scanned = report.counts.get("scanned", 0)
    counted = _grid()
    counted.whole(least=len("extracted"))
    counted.whole("right", least=len(f"{scanned:,}"))
    counted.text()
    others = "".join(f" + {found:,} {why}" for why, found in verified.outside.items())
    total = f"{others} = {report.counts['extracted']:,} extracted" if others else ""
    for number_found, where in (
        (verified.source, f"in the window of {tables[0]}{total}"),
        (verified.destination, f"of this run in {tables[1]}"),
    ):
        counted.add_row(
            "", "counted", Text(f"{number_found:,}", "bold"), Text.assemble((where, "dim"), " ", ("✔", "green"))
        )
    return counted


def _equation(equation: Equation, most: int) -> Iterator[list[Text]]:
    """A line of the balance; one with more than so many parts goes on in another."""
    parts = list(equation.parts.items())
    cells = [Text(equation.name), Text(f"{equation.total:,}", "bold"), Text("=", "dim")]
    for first in range(0, len(parts), most):
        for position in range(first, first + most):
            name, value = parts[position] if position < len(parts) else ("", 0)
            if position:
                cells.append(Text("+" if name else "", "dim"))
            cells += [Text(f"{value:,}" if name else ""), Text(name, "dim")]
        if first + most < len(parts):
            yield cells
            cells = [Text(""), Text("")]
    yield [*cells, Text("✔", "green") if equation.holds else Text("✘ does not add up", "bold red")]


def _rejected_title(report: RunReport) -> str:
    shown = sum(each.count for each in report.rejections)
    untimed = sum(each.count for each in report.rejections if each.untimed)
    if report.rejections_cut:
        return f"Rejected, of the first {shown:,} in quarantine{untimed_words(untimed)}"
    return f"Rejected: {shown - untimed:,}{untimed_words(untimed)}"


def _rejections(rejections: list[Rejection], width: int) -> Grid:
    table = _grid()
    table.whole("right")
    table.text(most=20)
    table.text(most=(width - 22) // 2)
    table.text(most=width - 42)
    table.add_row("", *(Text(title, "dim") for title in ("items", "attribute", "expected", "found, for example")))
    for each in rejections:
        example = Text.assemble(each.got, (f" in {each.example}" if each.example else "", "dim"))
        table.add_row("", f"{each.count:,}", each.field or "(record)", each.rule, example)
    return table


def _reasons(rejections: list[Rejection]) -> Grid:
    """How many items were rejected for what was expected, without anything of them."""
    table = _grid()
    table.whole("right")
    table.text()
    table.add_row("", *(Text(title, "dim") for title in ("items", "expected")))
    for each in rejections:
        table.add_row("", f"{each.count:,}", each.rule)
    return table


def _aggregate_title(aggregate: dict[str, Any]) -> str:
    return f"Aggregate {aggregate['name']}"


def _aggregate(aggregate: dict[str, Any]) -> RenderableType:
    rows: list[dict[str, Any]] = aggregate["groups"]
    left_out = aggregate.get("groups_left_out", 0)
    if not rows:
        return Text(f"  {count(left_out, 'group')}" if left_out else "  no records", "dim")
    table = _grid()
    by = aggregate["by"]
    for name in rows[0]:
        if name in by:
            table.text()
        else:
            table.whole("right")
    table.add_row("", *(Text(name, "dim") for name in rows[0]))
    for row in rows[:_MOST_GROUPS]:
        table.add_row("", *(_cell(value) for value in row.values()))
    if len(rows) <= _MOST_GROUPS:
        return table
    return Group(table, Text(f"  and {count(len(rows) - _MOST_GROUPS, 'more group')}", "dim"))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value) if isinstance(value, (int, Decimal)) else "-" if value is None else str(value)


def _grid() -> Grid:
    """A table that is indented by its empty first column."""
    table = Grid()
    table.text(width=1)
    return table
