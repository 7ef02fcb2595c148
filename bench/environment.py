"""The benchmark's own environment: locked packages, installed at the first use."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = (CHECKOUT / ".venv-bench").resolve()
LOCK = CHECKOUT / "requirements" / "bench.txt"


class EnvironmentSetupError(RuntimeError):
    """The environment can't be made. The message has the remedy."""


def enter(arguments: list[str]) -> None:
    """Continue in the benchmark's environment; return if this process already runs in it."""
    if Path(sys.prefix).resolve() == VENV:
        return
    _install()
    python = VENV / "bin" / "python"
    os.chdir(CHECKOUT)
    environment = os.environ | {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'runtime'}"}  # the project isn't installed there
    os.execve(python, [str(python), "-m", "bench", *arguments], environment)  # noqa: S606 - no shell is wanted


def _install() -> None:
    """Make ``.venv-bench`` from the lock, unless it is current."""
    stamp = VENV / "lock.txt"
    if stamp.exists() and stamp.read_text() == LOCK.read_text():
        return
    print("Installing the benchmark's locked packages into .venv-bench", flush=True)
    _uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV))
    _uv("pip", "sync", "--quiet", "--require-hashes", "--python", str(VENV / "bin" / "python"), str(LOCK))
    stamp.write_text(LOCK.read_text())


def _uv(*arguments: str) -> None:
    done = subprocess.run(["/bin/sh", "requirements/uv.sh", *arguments], cwd=CHECKOUT, check=False)
    if done.returncode != 0:
        raise EnvironmentSetupError(f"uv {arguments[0]} failed, see above; run `make setup` first, which installs uv")
