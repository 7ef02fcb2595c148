"""The requests of one segment's Scan: the next page is fetched ahead, and a refused request is repeated."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from decimal import Decimal
from types import TracebackType
from typing import Any, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from etl.aws.backoff import THROTTLING_CODES
from etl.aws.clients import is_refused, is_transient
from etl.invocation.deadline import Deadline
from etl.model.errors import Reason, TransientError
from etl.tables.ceiling import Pacer
from etl.tables.read_pace import PAGE_UNITS, Pace, PageSize

Request = dict[str, Any]
_NO_END_MS = 10**9


class Passing(NamedTuple):
    """The clock, the sleep and the threads: the machine's own, unless a test replaces them."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    reader: Callable[[], Executor] = lambda: ThreadPoolExecutor(1, thread_name_prefix="scan")


MACHINE = Passing()


class PageRequests:
    """Requests pages, one at a time, within an invocation's time; a context manager.

    Args:
        send: makes one attempt and returns the page's bytes.
        deadline: the end of the invocation; None for one attempt at each page.
        passing: the clock, the sleep and the threads.
        pacer: the ceiling.
    """

    def __init__(
        self, send: Callable[[Request], bytes], deadline: Deadline | None, passing: Passing, pacer: Pacer
    ) -> None:
        self._send = send
        self._tries_again = deadline is not None
        self._deadline = deadline or Deadline(lambda: _NO_END_MS)
        self._sleep = passing.sleep
        self._pace = Pace(passing.clock)
        self._pacer = pacer
        self._page_size = PageSize(pacer.units_per_second)
        self._estimate = min(pacer.units_per_second or 0.0, PAGE_UNITS)
        self._reader = passing.reader()
        self._request: Request = {}
        self._answer: Future[bytes] | None = None
        self._refusal: Exception | None = None

    def __enter__(self) -> Self:
        """Request nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abandon the request that is still running: an answer that hangs would use up the time for closing."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def ask(self, request: Request) -> None:
        """Request a page: at once, unless a pause comes first. :meth:`page` makes that pause."""
        self._request = request | self._page_size.limit()
        self._answer = None
        if not self._pause():
            self._begin()

    def consumed(self, units: Decimal, items: int) -> None:
        """Note how many units the last page consumed, and how many items DynamoDB read for it."""
        self._pacer.correct(float(units) - self._estimate)
        self._page_size.learn(float(units), items)

    def page(self) -> bytes | None:
        """The page that was requested; None if time runs out before it arrives.

        Raises:
            ClientError: DynamoDB refuses it, and not only for now.
        """
        while True:
            if self._answer is None:
                if not self._take_pause():
                    return None
                self._answer = self._begin()
            if not self._arrived(self._answer):
                return None
            try:
                body = self._answer.result()
            except (ClientError, BotoCoreError) as error:
                if not self._tries_again or not is_transient(error):
                    raise
                self._pace.ended(refused=True)
                if is_refused(error):
                    self._pacer.correct(-self._estimate)
                self._answer, self._refusal = None, error
            else:
                self._pace.ended(refused=False)
                return body

    def nothing_came(self, table: str) -> Exception:
        """The error for an invocation without a single page."""
        refusal = self._refusal
        if refusal and not (isinstance(refusal, ClientError) and refusal.response["Error"]["Code"] in THROTTLING_CODES):
            return refusal
        why = f"it was throttled ({refusal})" if refusal else "it gave no answer"
        return TransientError(
            f"no page of the source table {table} arrived in a whole invocation: {why}; look at its throttling metrics",
            Reason.SOURCE_BUSY,
        )

    def _begin(self) -> Future[bytes]:
        self._pace.began()
        self._pacer.reserve(self._estimate)
        self._answer = self._reader.submit(self._send, self._request)
        return self._answer

    def _pause(self) -> float:
        return max(self._pace.pause(), self._pacer.pause())

    def _take_pause(self) -> bool:
        """Wait until the next request may begin; False if there is no time for it."""
        pause = self._pause()
        if pause > self._deadline.spare_seconds():
            return False
        with self._deadline.waiting():
            self._sleep(pause)
        return True

    def _arrived(self, answer: Future[bytes]) -> bool:
        """Wait for an answer; False if time runs out before it arrives."""
        with self._deadline.waiting():
            wait((answer,), max(0.0, self._deadline.spare_seconds()))
        return answer.done()
