"""Progress of long work, on a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etl_cli.terminal.console import Text, err, out
from etl_cli.terminal.printable import printable


@contextmanager
def counting(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show the number of items so far on the error output, with the total if it is known; off a terminal nothing."""
    if not err.lives:
        yield lambda _: None
        return
    of = f" of {total:,}" if total else ""
    with err.status(title) as status:
        yield lambda number: status.update(_with_detail(title, f"{number:,}{of} items"))


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Show a title with the latest line of progress; off a terminal the title only."""
    if not out.lives:
        out.print(title)
        yield lambda _: None
        return
    width = max(20, out.width - len(title) - 6)
    with out.status(title) as status:
        yield lambda line: status.update(_with_detail(title, printable(" ".join(line.split()))[:width]))


def _with_detail(title: str, detail: str) -> Text:
    """A title, and dimmed the progress."""
    return Text.assemble(title, "  ", (detail, "dim"))
