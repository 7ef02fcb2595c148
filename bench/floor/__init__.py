"""The C floor, compiled where there is a compiler."""

import shutil
import subprocess
from pathlib import Path

from bench.environment import VENV

SOURCE = Path(__file__).parent / "floor.c"


def build() -> str:
    """Compile the floor into the benchmark's environment; returns why that is impossible, or nothing."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "left out: no C compiler (cc)"
    command = [compiler, "-O2", "-o", str(VENV / "floor"), str(SOURCE), "-lssl", "-lcrypto", "-lz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return f"left out: it needs the headers of OpenSSL and zlib ({done.stderr.strip().splitlines()[0][:100]})"
