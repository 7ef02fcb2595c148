"""Progress of work whose end isn't known: a count that grows, on a terminal alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etl_cli.console import err
from etl_cli.wording import count


@contextmanager
def counting(title: str, thing: str = "item") -> Iterator[Callable[[int], None]]:
    """Show how many things there are so far, on the error output, as long as it takes; nothing off a terminal.

    Args:
        title: what is being done.
        thing: what is counted, in the singular.
    """
    if not err.is_terminal:
        yield lambda _: None
        return
    with err.status(title) as status:
        yield lambda number: status.update(f"{title}  [dim]{count(number, thing)}[/]")
