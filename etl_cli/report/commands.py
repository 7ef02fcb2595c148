"""Lines for a shell, with which to look further at a run that succeeded."""

from __future__ import annotations

from etl_cli.commands import Command
from etl_cli.etl_lines import EtlLines
from etl_cli.report.report import RunReport


def report_commands(report: RunReport, lines: EtlLines) -> list[Command]:
    """Lines that show more of a run that succeeded."""
    commands = [Command("how long each step took, and the cost", lines.line("show", report.run))]
    if report.quarantine:
        commands.append(Command("items in quarantine, with the reasons", lines.line("quarantine", "show", report.run)))
    if report.sample:
        commands.append(Command("the way of the item above", lines.line("explain", report.sample.key["id"])))
    return [*commands, Command("the log", lines.line("logs", "--run", report.run))]
