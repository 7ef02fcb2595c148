"""The folder of a local environment. It holds keys, so only its owner can read it."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import IO

from etl_cli.terminal.errors import UserError


def make_private(folder: Path) -> None:
    """Make the folder, or take an existing one, and give only its owner access (0700, its files 0600)."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_own(folder)
        if stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
            narrow(folder)
    except OSError as error:
        raise unusable(folder, str(error.strerror)) from None


def require_own(folder: Path) -> None:
    """Refuse a link, or a folder of another user, who could plant keys, ports, and processes to end."""
    try:
        found = folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(found.st_mode):
        raise unusable(folder, "it is a link, which could lead to another user's folder")
    if found.st_uid != os.geteuid():
        raise unusable(folder, f"it belongs to another user ({found.st_uid})")


def narrow(folder: Path) -> None:
    """Give only the owner access to a folder's contents."""
    for place, _, files in os.walk(folder):
        for path in (Path(place), *(Path(place, name) for name in files)):
            with contextlib.suppress(FileNotFoundError):  # a running server removes files
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode):
                    path.chmod(stat.S_IMODE(mode) & 0o700)


def open_private(path: Path, mode: str) -> IO[str]:
    """Open a file for writing. If it is new, only its owner can read it."""
    return open(path, mode, encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def unusable(folder: Path, reason: str) -> UserError:
    """The error for a folder that can't be used."""
    return UserError(f"The folder {folder} can't be used: {reason}.", "Name another folder with ETL_LOCAL_DIR.")
