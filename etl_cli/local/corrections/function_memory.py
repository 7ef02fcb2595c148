"""Has a function of the embedded AWS have no more memory than it is given: beyond it, its process is killed.

Only Python's functions, and only on Linux, which tells how much memory a process has had. Functions in Node.js, the
CDK's own, are run by the machine's Node.js, which takes memory by what the machine has; Lambda's, by the function's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl_cli.local.corrections.function_ends import ENDING

_LOOK_SECONDS = 0.2
_KIBIBYTES_PER_MB = 1024
_PROC = Path("/proc")


@dataclass(eq=False)
class _Use:
    """An invocation at work.

    Attributes:
        worker: ministack's, which has the function's process.
        limit_mb: what the function may have, in MiB, which Lambda calls MB; None for no limit.
        peak_mb: the most that it was seen to have.
        outgrown: whether it had more than it may.
    """

    worker: Any
    limit_mb: int | None
    peak_mb: int = 0
    outgrown: bool = False

    def look(self) -> None:
        """See how much memory the process has had, and kill it if that is too much."""
        process = self.worker._proc
        if process is None or process.poll() is not None:
            return
        self.peak_mb = max(self.peak_mb, memory_mb(process.pid))
        if self.limit_mb is not None and self.peak_mb > self.limit_mb and not self.outgrown:
            self.outgrown = True
            process.kill()


class _Watch:
    """Looks at all invocations at work, several times a second, so that none outgrows the machine."""

    def __init__(self) -> None:
        self._uses: set[_Use] = set()
        self._lock = threading.Lock()
        self._busy = threading.Event()
        threading.Thread(target=self._go_on, daemon=True, name="function-memory").start()

    @contextmanager
    def at_work(self, use: _Use) -> Iterator[None]:
        """Look at an invocation for as long as it lasts, and once more at its end."""
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
            with self._lock:  # a process that is looked at is at work for this use, and not for the next one
                for use in self._uses:
                    use.look()
            time.sleep(_LOOK_SECONDS)


def limit_memory() -> None:
    """Kill a Python function's process that has had more than MemorySize, and say so as AWS does.

    Its error is Runtime.OutOfMemory, and the process is replaced for the next invocation. The most that it ever had
    counts: the memory of a function that is called again stays its process's. A process that it has forked counts with
    what it doesn't share. Source: Lambda Developer Guide, "Troubleshoot execution issues in Lambda"; the name of
    the error is that of REPORT lines on AWS.
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
            ENDING.memory_mb = use.peak_mb
            if use.outgrown:
                reason = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
                ENDING.payload = {"errorMessage": reason, "errorType": "Runtime.OutOfMemory"}
        if use.outgrown:
            return {"status": "error", "error": reason, "trace": "", "log": result.get("log", "")}
        return result

    lambda_runtime.Worker.invoke = invoke_within


def memory_mb(pid: int) -> int:
    """The most memory that a process has had, in MiB, or what it has now with those that it forked; 0 when it's gone.

    Linux keeps the most for each process alone: of several, what counts is what each has now, shared pages once.
    """
    gone = (OSError, StopIteration)  # one of them has just ended
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
