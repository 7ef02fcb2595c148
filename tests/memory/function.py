"""A function's process, as Lambda keeps it from one invocation to the next: `python -m tests.memory.function STAGE`.

Each line of its input is an event. Each line of its output is the answer, and the memory that the process has taken at
its peak since the line before; together with the largest of its children, if the event is a retry's.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.memory import transformation
from tests.support import PIPELINE, ROOT

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class _Context:
    """Lambda's context of an invocation that has five minutes."""

    def __init__(self) -> None:
        self._end = time.monotonic() + 300

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


def peak_mb() -> float:
    """The peak of this process's memory, in MB of 10^6 bytes."""
    if _STATUS.exists():
        (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS tells bytes


def forget_peak() -> None:
    """Begin a new peak, where the system can: else it is that since the process began."""
    with suppress(OSError):
        _CLEAR.write_text("5")


def child_mb() -> float:
    """The largest child's memory at its peak, without the memory that it shares with this process."""
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(0.0, kilobytes * 1024 / 1e6 - SHARED_MB)


# A function's imports, which a child has in common with its parent.
SHARED_MB = 50.0


def main() -> None:
    """Serve a stage until the input ends."""
    sys.path.append(str(ROOT / PIPELINE))
    stage = importlib.import_module(f"etl.{sys.argv[1]}")
    if sys.argv[1] == "transform":
        vars(stage)["transformation"] = transformation
    answers, sys.stdout = sys.stdout, sys.stderr  # where the functions' log goes
    for line in sys.stdin:
        forget_peak()
        answer: dict[str, Any] = {}
        event = json.loads(line)
        try:
            answer["result"] = stage.handler(event, _Context())
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"[:2000]
        print(
            json.dumps(answer | {"peak_mb": peak_mb() + (child_mb() if event.get("retry") else 0)}),
            file=answers,
            flush=True,
        )


if __name__ == "__main__":
    main()
