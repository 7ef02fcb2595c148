"""Does something again whenever a file is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

Stamps = dict[Path, tuple[int, int] | None]

_LOOK_SECONDS = 0.2


def on_save(
    files: Callable[[], Iterable[Path]], work: Callable[[], None], sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Do the work, and again after each change of a file, until it is interrupted.

    Args:
        files: tells which files to watch; asked again each time, since the work may find more of them.
        work: what to do.
        sleep: waits for a number of seconds.
    """
    while True:
        seen = _stamps(files())
        work()
        seen = _stamps(files()) | seen  # as they were before: what was saved meanwhile is a change
        before = seen
        # An editor may take several steps to save a file: it must have changed, and rest since the last look.
        while (now := _stamps(seen)) == seen or now != before:
            before = now
            sleep(_LOOK_SECONDS)


def _stamps(files: Iterable[Path]) -> Stamps:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:  # it is being replaced
        return None
    return found.st_mtime_ns, found.st_size
