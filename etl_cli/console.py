"""What the command prints: text and tables for people, JSON for programs, errors as one message."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from etl_cli.errors import UserError

# Neither colours nor control sequences are printed where the output is no terminal, or NO_COLOR is set.
out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def print_json(value: Any) -> None:
    """Print a value as JSON, with nothing else."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_table(rows: Mapping[str, object], *, indent: int = 2) -> None:
    """Print names and values in two columns; values that are None are left out."""
    shown = {name: str(value) for name, value in rows.items() if value is not None}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        out.print(Text.assemble(" " * indent, (name.ljust(width), "dim"), "  ", value))


def print_error(error: UserError) -> None:
    """Print what is wrong and what to do next, on the error output."""
    err.print("[bold red]error:[/] ", end="")
    err.print(error.message, markup=False)
    if error.remedy:
        err.print(error.remedy, markup=False)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Show lines of progress: on a terminal the latest one beside the title, elsewhere all of them."""
    if not out.is_terminal:
        out.print(title, markup=False)
        yield lambda line: out.print(f"  {line}", markup=False)
        return
    width = max(20, out.width - len(title) - 6)
    with out.status(title) as status:

        def show(line: str) -> None:
            text = " ".join(line.split())[:width].replace("[", r"\[")
            status.update(f"{title}  [dim]{text}[/]")

        yield show
