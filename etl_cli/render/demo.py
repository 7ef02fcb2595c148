"""The end of `etl demo`: its result, the next commands, and how to stop the local environment."""

from __future__ import annotations

from collections.abc import Sequence

from etl_cli.aws.cli_lines import ShellLine
from etl_cli.render.failure import print_commands
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import readable
from etl_cli.terminal.paths import command, environment_line

_OWN_TABLE = "# your own table: README.md, Use it on your own table"


def print_unfit(console: Terminal, reason: str) -> None:
    """Print that the demo's items don't fit your transformation, and why."""
    console.print()
    console.print(Text("  The demo's items don't fit your transformation.py", "bold yellow"))
    console.print("  The pipeline is deployed. Its run stopped before it loaded anything:")
    console.print()
    for line in readable(console, reason, 6):
        console.print(f"    {line}", soft_wrap=True)


def print_next(console: Terminal, commands: Sequence[ShellLine]) -> None:
    """Print the commands to go on with."""
    print_commands(console, commands, "What to do next")
    console.print(f"  {_OWN_TABLE}", style="dim", soft_wrap=True)
    print_how_to_stop(console)


def print_how_to_stop(console: Terminal) -> None:
    """Print the command that stops the local environment."""
    console.print()
    console.print(f"  The local environment stays up. Stop it: {command()} local stop", soft_wrap=True)


def unfit_commands(lines: EtlLines, run: str) -> list[ShellLine]:
    """Lines that show why a transformation refuses the demo's items."""
    return [
        ShellLine("see what your transformation does to each item", lines.line("preview")),
        ShellLine("see the rejected items", lines.line("quarantine", "show", run)),
    ]


def next_commands(lines: EtlLines) -> list[ShellLine]:
    """Lines that continue from a demonstration, with its own items."""
    return [
        ShellLine("have every AWS tool of this shell use the local environment", environment_line(lines.program)),
        ShellLine("edit pipelines/etl/transformation.py, and see its effect", lines.line("preview", "--watch")),
        ShellLine("see the run as a page", lines.line("report", "latest", "--html", "report.html")),
        ShellLine("check the pipeline", lines.line("doctor")),
    ]
