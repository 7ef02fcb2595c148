"""A checkout with the set-up's scripts, and commands that stand for its tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support import ROOT


def make_command(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / name
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def copy_set_up(folder: Path) -> None:
    """Copy all that `make` looks at when it installs."""
    (folder / "etl_cli").mkdir(parents=True)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    for name in ("Makefile", "pyproject.toml", "package.json", "package-lock.json", "etl_cli/launcher.sh"):
        shutil.copy(ROOT / name, folder / name)


def planned(checkout: Path, *words: str, path: str = "/usr/bin:/bin") -> str:
    """The commands that `make` would run, with no other environment than this search path."""
    command = ["make", "--dry-run", *words]
    return subprocess.check_output(command, cwd=checkout, env={"PATH": path, "HOME": "/nowhere"}, text=True)
