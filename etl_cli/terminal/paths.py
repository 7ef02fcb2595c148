"""The checkout, and how to call its command from the current folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from etl_cli.terminal.printable import shell_words

ROOT = Path(__file__).resolve().parents[2]


def command() -> str:
    """The words to type for this command: `etl` if the shell finds it, otherwise its path, quoted for a shell."""
    own = ROOT / ".venv" / "bin" / "etl"
    found = shutil.which("etl")
    if found and Path(found).absolute() == own:
        return "etl"
    return shell_words(os.path.relpath(own) if Path.cwd() == ROOT else str(own))


def environment_line(program: str | None = None) -> str:
    """The line with which a shell and its programs use the local environment."""
    return f'eval "$({program or command()} local env)"'
