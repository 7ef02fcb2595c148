"""Which processes run, on Linux and on macOS."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

PROC = Path("/proc/self/stat").exists()
PATIENCE_SECONDS = 5.0


def members(group: int) -> set[int]:
    """The processes of a group that run; those that have ended and are not yet collected do not count."""
    rows = _rows_of_proc() if PROC else _rows_of_ps()
    return {pid for pid, row_group, state in rows if row_group == group and not state.startswith("Z")}


def ends(group: int) -> bool:
    """Whether all processes of a group have ended, or do so within a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while members(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _rows_of_proc() -> list[tuple[int, int, str]]:
    rows = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state ppid pgrp …", where the name may contain anything.
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        rows.append((int(path.parent.name), int(group), state))
    return rows


def _rows_of_ps() -> list[tuple[int, int, str]]:
    listing = subprocess.run(["ps", "-axo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True)  # noqa: S607
    return [(int(pid), int(group), state) for pid, group, state in map(str.split, listing.stdout.splitlines())]
