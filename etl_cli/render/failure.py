"""The reason why a run failed, and the advice, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from etl_cli.aws.cli_lines import ShellLine
from etl_cli.render.sections import print_section
from etl_cli.runs.failure import Failure, look_words
from etl_cli.runs.history import execution_name
from etl_cli.runs.outcome_words import ended
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.grid import readable


def print_commands(console: Terminal, commands: Sequence[ShellLine], title: str = "Look further") -> None:
    """Print lines for a shell. They are never broken, so that they can be copied."""
    lines = ((Text(f"# {command.shows}", "dim"), command.line) for command in commands)
    print_section(console, title, chain.from_iterable(lines))


def print_failure(console: Terminal, failure: Failure) -> None:
    """Print why an execution did not succeed."""
    console.print()
    verdict = f"✘ The run {ended(failure.status, failure.stage, failure.error)}"
    console.print(Text.assemble("  ", (verdict, "bold red")), soft_wrap=True)
    message = readable(console, failure.message, 6)
    for lines, style in ((message, ""), (failure.where, "dim")):
        if lines:
            console.print()
        for line in lines:
            console.print(Text(f"    {line}", style), soft_wrap=True)


def print_advice(console: Terminal, failure: Failure, lines: EtlLines) -> None:
    """Print the remedy of a failure, and commands that show more."""
    name = failure.run or execution_name(failure.execution)
    commands = [lines.line(*words) for words in (look_words(failure), ["show", name])]
    print_section(console, "What to do", [*readable(console, failure.remedy, 4), *commands])
