"""Where the checkout is, and how its command is called from where the user is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from etl_cli.terminal.printable import shell_words

ROOT = Path(__file__).resolve().parents[2]


def command() -> str:
    """What to type for this very command: `etl` if that is what the shell finds, else its path as a shell needs it."""
    own = ROOT / ".venv" / "bin" / "etl"
    found = shutil.which("etl")
    if found and Path(found).absolute() == own:
        return "etl"
    return shell_words(os.path.relpath(own) if Path.cwd() == ROOT else str(own))


def environment_line(program: str | None = None) -> str:
    """The line that makes a shell, and whatever it starts, use the local environment."""
    return f'eval "$({program or command()} local env)"'
