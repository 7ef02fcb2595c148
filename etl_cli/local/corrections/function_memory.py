"""Kills the process of a function that takes more memory than it is given, as Lambda does.

This holds for Python functions on Linux, which records a process's peak memory. The CDK's own functions run in the
machine's Node.js. It takes memory according to the machine's size, where Lambda's follows the function's setting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl_cli.local.corrections.function_ends import INVOCATION_END

_LOOK_SECONDS = 0.2
_KIBIBYTES_PER_MB = 1024
_PROC = Path("/proc")


@dataclass(eq=False)
class _Use:
    """A running invocation. Sizes are in MiB, which Lambda calls MB."""

    worker: Any
    limit_mb: int | None
    peak_mb: int = 0
    outgrown: bool = False

    def look(self) -> None:
        """Read the process's memory, and kill it above the limit."""
        process = self.worker._proc
        if process is None or process.poll() is not None:
            return
        self.peak_mb = max(self.peak_mb, memory_mb(process.pid))
        if self.limit_mb is not None and self.peak_mb > self.limit_mb and not self.outgrown:
            self.outgrown = True
            process.kill()


class _Watch:
    """Looks at all running invocations several times a second, so that none fills the machine's memory."""

    def __init__(self) -> None:
        self._uses: set[_Use] = set()
        self._lock = threading.Lock()
        self._busy = threading.Event()
        threading.Thread(target=self._go_on, daemon=True, name="function-memory").start()

    @contextmanager
    def at_work(self, use: _Use) -> Iterator[None]:
        """Look at an invocation while it runs, and once more at its end."""
        with self._lock:
            self._uses.add(use)
            self._busy.set()
        try:
            yield
        finally:
            with self._lock:
                self._uses.discard(use)
                if not self._uses:
                    self._busy.clear()
            use.look()

    def _go_on(self) -> None:
        while self._busy.wait():
            with self._lock:  # the process must not begin another invocation meanwhile
                for use in self._uses:
                    use.look()
            time.sleep(_LOOK_SECONDS)


def limit_memory() -> None:
    """Kill a Python function's process that exceeds MemorySize, and report it as AWS does.

    Its error is Runtime.OutOfMemory, and the next invocation gets a new process. The peak over all invocations of a
    process counts. A forked process counts with its unshared memory. Source: Lambda Developer Guide, "Troubleshoot
    execution issues in Lambda"; the error's name is from REPORT lines on AWS.
    """
    if not (_PROC / "self" / "status").exists():
        return
    from ministack.core import lambda_runtime

    invoke, watch = lambda_runtime.Worker.invoke, _Watch()

    def invoke_within(worker: Any, event: Any, request_id: str, **context: Any) -> Any:
        is_python = worker.config.get("Runtime", "").startswith("python")
        use = _Use(worker, worker.config["MemorySize"] if is_python else None)
        try:
            with watch.at_work(use):
                result = invoke(worker, event, request_id, **context)
        finally:
            INVOCATION_END.memory_mb = use.peak_mb
            if use.outgrown:
                reason = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
                INVOCATION_END.payload = {"errorMessage": reason, "errorType": "Runtime.OutOfMemory"}
        if use.outgrown:
            return {"status": "error", "error": reason, "trace": "", "log": result.get("log", "")}
        return result

    lambda_runtime.Worker.invoke = invoke_within


def memory_mb(pid: int) -> int:
    """Measure a process's peak memory in MiB, or its current memory with its forked processes; 0 when it has ended.

    Linux keeps the peak of a single process. Of several processes the current memory counts, shared pages once.
    """
    gone = (OSError, StopIteration)  # a process has just ended
    try:
        peak = _kibibytes(pid, "status", "VmHWM")
    except gone:
        return 0
    with suppress(*gone):
        if forked := list(_forked(pid)):
            peak = max(peak, sum(_kibibytes(each, "smaps_rollup", "Pss") for each in (pid, *forked)))
    return peak // _KIBIBYTES_PER_MB


def _kibibytes(pid: int, file: str, name: str) -> int:
    with (_PROC / str(pid) / file).open(encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _forked(pid: int) -> Iterator[int]:
    for task in (_PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            yield int(child)
            yield from _forked(int(child))
