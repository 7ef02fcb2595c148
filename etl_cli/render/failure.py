"""The reason why a run failed, and the advice, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

from etl_cli.aws.cli_lines import ShellLine
from etl_cli.runs.failure import Failure, look_words
from etl_cli.runs.history import execution_name
from etl_cli.runs.phrases import ended
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import WIDEST
from etl_cli.terminal.printable import wrapped


def print_title(console: Terminal, title: str) -> None:
    """Print the title of a section."""
    console.print()
    console.print(Text(f"  {title}", "bold"), soft_wrap=True)


def print_commands(console: Terminal, commands: Sequence[ShellLine], title: str = "Look further") -> None:
    """Print lines for a shell. They are never broken, so that they can be copied."""
    print_title(console, title)
    for command in commands:
        console.print(f"  # {command.shows}", style="dim", soft_wrap=True)
        console.print(f"  {command.line}", soft_wrap=True)


def print_failure(console: Terminal, failure: Failure) -> None:
    """Print why an execution did not succeed."""
    console.print()
    verdict = f"✘ The run {ended(failure.status, failure.stage, failure.error)}"
    console.print(Text.assemble("  ", (verdict, "bold red")), soft_wrap=True)
    message = wrapped(failure.message, min(console.width, WIDEST) - 6)
    for lines, style in ((message, ""), (failure.where, "dim")):
        if lines:
            console.print()
        for line in lines:
            console.print(Text(f"    {line}", style), soft_wrap=True)


def print_advice(console: Terminal, failure: Failure, lines: EtlLines) -> None:
    """Print the remedy of a failure, and commands that show more."""
    print_title(console, "What to do")
    for line in wrapped(failure.remedy, min(console.width, WIDEST) - 4):
        console.print(f"  {line}", soft_wrap=True)
    name = failure.run or execution_name(failure.execution)
    for words in (look_words(failure), ["show", name]):
        console.print(f"  {lines.line(*words)}", soft_wrap=True)
