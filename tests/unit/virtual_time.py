"""An event loop whose clock goes on by itself when all tasks wait: minutes take no time, whatever the machine does."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Selector(selectors.DefaultSelector):
    """Lets the time pass that the loop would wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its clock starts at 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Threads take real time to end: a limit, which Python has since 3.12, would have passed at once."""
        del timeout
        await super().shutdown_default_executor()


def in_virtual_time(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work`` on such a loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
