"""An emulated Lambda: 512 MB of memory and 0.29 of a CPU by the kernel's control groups, of either version."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY_BYTES = 512 * 1024 * 1024
# Lambda gives CPU in proportion to memory, one vCPU at 1,769 MB. Source: Lambda Developer Guide, "Memory".
CPU = 512 / 1769
_PERIOD_US = 20_000
_ROOT = Path("/sys/fs/cgroup")


class BoxUnavailableError(RuntimeError):
    """This machine can't limit a process. The message says why."""


@contextmanager
def lambda_box() -> Iterator[list[str]]:
    """Make the control groups for the time of the block; gives the folders that a process joins.

    Raises:
        BoxUnavailableError: no writable control groups.
    """
    name = f"etl-bench-{os.getpid()}"
    quota = str(int(CPU * _PERIOD_US))
    try:
        if (_ROOT / "cgroup.controllers").exists():
            settings = {_ROOT / name: {"cpu.max": f"{quota} {_PERIOD_US}", "memory.max": str(MEMORY_BYTES)}}
            (_ROOT / "cgroup.subtree_control").write_text("+cpu +memory")
        else:
            settings = {
                _ROOT / "cpu" / name: {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": quota},
                _ROOT / "memory" / name: {"memory.limit_in_bytes": str(MEMORY_BYTES)},
            }
        made = []
        try:
            for folder, files in settings.items():
                folder.mkdir()
                made.append(folder)
                for file, text in files.items():
                    (folder / file).write_text(text)
            _without_swap(made[-1])
            yield [str(folder) for folder in made]
        finally:
            for folder in made:
                folder.rmdir()
    except OSError as error:
        raise BoxUnavailableError(f"no control group could be made: {error}") from error


def _without_swap(folder: Path) -> None:
    """Lambda has no swap; where the kernel does not count it, there is nothing to set."""
    for name, text in (("memory.swap.max", "0"), ("memory.memsw.limit_in_bytes", str(MEMORY_BYTES))):
        if (folder / name).exists():
            (folder / name).write_text(text)
