"""Repeats work whenever a file is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

_LOOK_SECONDS = 0.2


def on_save(
    files: Callable[[], Iterable[Path]], work: Callable[[], None], sleep: Callable[[float], None] = time.sleep
) -> NoReturn:
    """Do the work now, and after each change of a file, until an interrupt. The work may find more files to watch."""
    while True:
        seen = _stamps(files())
        work()
        seen = _stamps(files()) | seen  # stamps from before the work: a save during the work is a change
        before = seen
        # An editor may save a file in several steps: wait until it has changed, and rests between two looks.
        while (now := _stamps(seen)) == seen or now != before:
            before = now
            sleep(_LOOK_SECONDS)


def _stamps(files: Iterable[Path]) -> dict[Path, tuple[int, int] | None]:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:  # an editor is replacing it
        return None
    return found.st_mtime_ns, found.st_size
