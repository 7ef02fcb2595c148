"""Lines for a shell, with which to look further at a run that succeeded."""

from __future__ import annotations

from etl.model.schema import DESTINATION_KEY
from etl_cli.aws.cli_lines import Command
from etl_cli.summary.report import RunReport
from etl_cli.terminal.etl_lines import EtlLines


def report_commands(report: RunReport, lines: EtlLines) -> list[Command]:
    """Lines that show more of a run that succeeded."""
    commands = [Command("how long each step took, and the cost", lines.line("show", report.run))]
    if report.quarantine:
        commands.append(Command("items in quarantine, with the reasons", lines.line("quarantine", "show", report.run)))
    if report.sample:
        identity = report.sample.key[DESTINATION_KEY[0]]
        commands.append(Command("the way of the item above", lines.line("explain", identity)))
    return [*commands, Command("the log", lines.line("logs", "--run", report.run))]
