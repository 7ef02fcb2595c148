"""Progress of long work: a count that grows, on a terminal alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etl_cli.terminal.console import beside, err


@contextmanager
def counting(title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show how many items there are so far, on the error output, as long as it takes; nothing off a terminal.

    Args:
        title: what is being done.
        total: how many there will be; None if nobody knows.
    """
    if not err.lives:
        yield lambda _: None
        return
    of = f" of {total:,}" if total else ""
    with err.status(title) as status:
        yield lambda number: status.update(beside(title, f"{number:,}{of} items"))
