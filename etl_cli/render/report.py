"""The report of a run that succeeded, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding

from etl_cli.aws.cli_lines import ShellLine
from etl_cli.render.item import changes_table
from etl_cli.render.rejections import rejections_table
from etl_cli.render.sections import aggregate_section, section
from etl_cli.runs.outcome_words import untimed_words, verdict
from etl_cli.summary.balance import BalanceLine
from etl_cli.summary.contents import Contents
from etl_cli.summary.run_summary import RunSummary
from etl_cli.summary.verify import Verified
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, number
from etl_cli.terminal.grid import NARROWEST, Grid, fitting, table_width
from etl_cli.terminal.times import Times

_MOST_GROUPS = 8
SAMPLE_TITLES = ("as the run read it", "as the run made it")
UNBALANCED = "The run succeeded, and its counts don't add up"


def print_report(
    console: Terminal,
    summary: RunSummary,
    tables: tuple[str, str],
    verified: Verified | None = None,
    times: Times | None = None,
) -> None:
    """Print the report of a run that succeeded, with the numbers that were counted in the tables, if any."""
    width, contents = table_width(console), summary.contents
    balance: list[RenderableType] = [fitting(console, width, _balance(summary))]
    if verified:
        balance.append(_counted(summary.counts, tables, verified))
    parts: list[RenderableType] = ["", _verdict(summary), "", _facts(summary, times or Times())]
    parts += section("Durations", fitting(console, width, _durations(summary)))
    parts += section("Balance", *balance)
    if contents.rejections:
        parts += section(
            _rejected_title(contents), rejections_table(contents.rejections, with_items=contents.with_items)
        )
    for aggregate in contents.aggregates:
        parts += aggregate_section(console, width, aggregate, _MOST_GROUPS, number)
    if contents.sample:
        item = changes_table(contents.sample.compared(), SAMPLE_TITLES, width)
        parts += section("One item, before and after", item)
    for note in contents.notes:
        parts += ["", Padding(Text(note, "dim"), (0, 0, 0, 2))]
    # A narrower terminal breaks lines, which is better than numbers that are cut off.
    console.width = max(console.width, NARROWEST)
    console.print(Group(*parts), width=width, soft_wrap=False)


def report_commands(summary: RunSummary, lines: EtlLines) -> list[ShellLine]:
    """Lines for a shell that show more of a run."""
    run, contents = summary.entry.label, summary.contents
    commands = [ShellLine("how long each step took, and the cost", lines.line("show", run))]
    if contents.aside.total:
        commands.append(ShellLine("items in quarantine, with the reasons", lines.line("quarantine", "show", run)))
    if contents.sample:
        commands.append(
            ShellLine("the way of the item above", lines.line("explain", *contents.sample.item_key.options))
        )
    return [*commands, ShellLine("the log", lines.line("logs", "--run", run))]


def _verdict(summary: RunSummary) -> Text:
    if not summary.is_balanced:
        return Text(f"  ✘ {UNBALANCED}", "bold red")
    return Text(f"  ✔ {verdict(summary.counts, reasons=True)}", "bold green")


def _facts(summary: RunSummary, times: Times) -> Grid:
    entry, table = summary.entry, _grid()
    table.whole(style="dim")
    table.whole()
    table.add_row("", "Run", entry.run)
    if entry.replay:
        table.add_row("", "Replay of", f"the quarantine of run {entry.replay}")
    if entry.window:
        table.add_row("", "Window", times.window(*entry.window))
    return table


def _durations(summary: RunSummary) -> Iterator[Grid]:
    """The stages in one line, or one below the other."""
    shown = summary.stage_seconds | {"in all": summary.seconds or 0.0}
    across, down = _grid(), _grid()
    for position in range(len(shown)):
        across.whole("right", least=8 if position else 0)
    across.add_row("", *(Text(name, "dim") for name in shown))
    across.add_row("", *(duration(seconds) for seconds in shown.values()))
    down.whole()
    down.whole("right")
    for name, seconds in shown.items():
        down.add_row("", Text(name, "dim"), duration(seconds))
    yield from (across, down)


def _balance(summary: RunSummary) -> Iterator[Grid]:
    """The lines of the balance with as many parts as possible, and with fewer."""
    scanned, read = summary.counts.get("scanned", 0), summary.counts.get("read", 0)
    outside = BalanceLine("scanned", scanned, {"read": read, "outside": scanned - read})
    for parts in (3, 2, 1):
        table = _grid()
        for position in range(3 + 3 * parts):
            table.whole("right" if position == 1 or (position >= 3 and position % 3 == 0) else "left")
        for line in [*([] if summary.entry.replay else [outside]), *summary.balance]:
            for row in _balance_rows(line, parts):
                table.add_row("", *row)
        yield table


def _counted(counts: dict[str, int], tables: tuple[str, str], verified: Verified) -> Grid:
    """The numbers that were counted in the two tables."""
    table = _grid()
    table.whole(least=len("extracted"))
    table.whole("right", least=len(f"{counts.get('scanned', 0):,}"))
    table.text()
    others = "".join(f" + {found:,} {why}" for why, found in verified.outside.items())
    total = f"{others} = {counts['extracted']:,} extracted" if others else ""
    for number_found, where in (
        (verified.source, f"in the window of {tables[0]}{total}"),
        (verified.destination, f"of this run in {tables[1]}"),
    ):
        table.add_row(
            "", "counted", Text(f"{number_found:,}", "bold"), Text.assemble((where, "dim"), " ", ("✔", "green"))
        )
    return table


def _balance_rows(line: BalanceLine, most: int) -> Iterator[list[Text]]:
    """A line of the balance as rows of a table, with at most ``most`` parts each."""
    parts = list(line.parts.items())
    cells = [Text(line.name), Text(f"{line.total:,}", "bold"), Text("=", "dim")]
    for first in range(0, len(parts), most):
        for position in range(first, first + most):
            name, value = parts[position] if position < len(parts) else ("", 0)
            if position:
                cells.append(Text("+" if name else "", "dim"))
            cells += [Text(f"{value:,}" if name else ""), Text(name, "dim")]
        if first + most < len(parts):
            yield cells
            cells = [Text(""), Text("")]
    yield [*cells, Text("✔", "green") if line.holds else Text("✘ does not add up", "bold red")]


def _rejected_title(contents: Contents) -> str:
    aside = contents.aside
    if contents.is_cut:
        return f"Rejected, of the first {aside.total:,} in quarantine{untimed_words(aside.untimed)}"
    return f"Rejected: {aside.rejected:,}{untimed_words(aside.untimed)}"


def _grid() -> Grid:
    """A table that is indented by its empty first column."""
    table = Grid()
    table.text(width=1)
    return table
