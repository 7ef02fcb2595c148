"""The folder of a local environment, which only its owner can look into: its keys are there."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import IO

from etl_cli.terminal.errors import UserError


def make_private(folder: Path) -> None:
    """Make the folder, or take the one that is there, for its owner alone (0700, its files 0600).

    Raises:
        UserError: it can't be made, it is a link, or it belongs to somebody else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_own(folder)
        if stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
            narrow(folder)
    except OSError as error:
        raise _refused(folder, str(error.strerror)) from None


def require_own(folder: Path) -> None:
    """Read nothing that somebody else may have put there: keys, ports, and the processes to end.

    Raises:
        UserError: the folder is a link, or belongs to somebody else.
    """
    try:
        found = folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(found.st_mode):
        raise _refused(folder, "it is a link, and whoever may change it can lead you elsewhere")
    if found.st_uid != os.geteuid():
        raise _refused(folder, f"it belongs to another user ({found.st_uid})")


def narrow(folder: Path) -> None:
    """Take all that is in a folder from everybody but its owner."""
    for place, _, files in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in files)):
            with contextlib.suppress(FileNotFoundError):  # a server at work there removes its files
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode):
                    path.chmod(stat.S_IMODE(mode) & 0o700)


def open_private(path: Path, mode: str) -> IO[str]:
    """Open a file for writing that only its owner can read, if it is new."""
    return open(path, mode, encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def _refused(folder: Path, reason: str) -> UserError:
    return UserError(f"The folder {folder} cannot be used: {reason}.", "Name another one with ETL_LOCAL_DIR.")
