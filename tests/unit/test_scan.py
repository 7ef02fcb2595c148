"""A Scan within an invocation's time: what is refused is asked for again, and what was read before is kept."""

import random
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from etl.aws.clients import explained
from etl.extract import extract_segment
from etl.invocation.deadline import Deadline
from etl.model.errors import TransientError
from etl.model.run import Work
from etl.tables.source import SourceTable
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.faults import client_error
from tests.fakes.s3 import FakeS3
from tests.unit.builders import PICKED, item, run, source, staged, staging, work
from tests.unit.virtual_threads import VirtualThreads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PASSING = [
    pytest.param(lambda: client_error("ProvisionedThroughputExceededException", operation="Scan"), id="throttled"),
    pytest.param(lambda: client_error("InternalServerError", 500, operation="Scan"), id="500"),
    pytest.param(lambda: ConnectionClosedError(endpoint_url="x"), id="broken off"),
    pytest.param(lambda: ReadTimeoutError(endpoint_url="x"), id="no answer"),
]
Failure = Callable[[], Exception]


class Failing(FakeDynamoDB):
    """A source of pages of 10 items, some of whose Scans fail.

    Args:
        threads: whose time passes, a tenth of a second a page; half a minute for one that isn't answered.
        fails: whether the request with a number, from 1, fails.
        failure: with what.
    """

    def __init__(self, threads: VirtualThreads, fails: Callable[[int], bool], failure: Failure) -> None:
        super().__init__(page_items=10)
        self.tables["source"] = [item(n) for n in range(45)]
        self._threads = threads
        self._fails = fails
        self._failure = failure
        self._number = 0

    def scan(self, **request: Any) -> dict[str, Any]:
        self._number += 1
        if self._fails(self._number):
            error = self._failure()
            self._threads.sleep(30 if isinstance(error, ReadTimeoutError) else 0.01)
            raise error
        self._threads.sleep(0.1)
        return super().scan(**request)


def invoke(s3: FakeS3, dynamodb: Failing, threads: VirtualThreads, given: Work, seconds: float = 300) -> Work:
    """One invocation."""
    ends = threads.now + seconds
    deadline = Deadline(lambda: int((ends - threads.now) * 1000), lambda: threads.now)
    table = SourceTable(cast("DynamoDBClient", dynamodb), "source", threads.passing())
    return extract_segment(run(), given, table.pages(PICKED, 0, 1, given.cursor, deadline), staging(s3), 10**9)


@pytest.mark.parametrize("failure", PASSING)
def test_a_page_that_is_refused_often_is_read_in_the_end(failure: Failure) -> None:
    random.seed(1)
    threads, s3 = VirtualThreads(), FakeS3()
    often = 2 if isinstance(failure(), ReadTimeoutError) else 7
    dynamodb = Failing(threads, lambda number: 3 <= number < 3 + often, failure)
    result = invoke(s3, dynamodb, threads, work())

    assert result.done
    assert result.by_name() | {"scanned": 45, "extracted": 45, "read_units": 23} == result.by_name()
    assert len(dynamodb.scans) == 5
    assert len(staged(s3, "extract/")) == 45


@pytest.mark.parametrize("failure", PASSING[:-1])
def test_when_time_runs_out_the_pages_before_are_kept(failure: Failure) -> None:
    threads, s3 = VirtualThreads(), FakeS3()
    dynamodb = Failing(threads, lambda number: number >= 3, failure)
    first = invoke(s3, dynamodb, threads, work())

    assert threads.now <= 300
    assert (first.counted("scanned"), first.counted("read_units"), first.counted("extract_parts")) == (20, 10, 1)
    assert first.cursor is not None
    dynamodb._fails = lambda _: False
    last = invoke(s3, dynamodb, threads, first)
    assert last.done
    assert len(dynamodb.scans) == 5  # each page once
    assert (last.counted("scanned"), len(staged(s3, "extract/"))) == (45, 45)


@pytest.mark.parametrize("failure", PASSING)
def test_an_invocation_without_a_page_fails_and_is_retried(failure: Failure) -> None:
    threads, s3 = VirtualThreads(), FakeS3()
    dynamodb = Failing(threads, lambda _: True, failure)
    with pytest.raises((TransientError, ClientError, BotoCoreError)) as error:
        invoke(s3, dynamodb, threads, work())

    raised: Any = error.value
    assert isinstance(raised if isinstance(raised, TransientError) else explained(raised), TransientError)
    assert 250 <= threads.now <= 300
    assert not s3.objects


def test_a_throttled_invocation_names_the_table() -> None:
    threads = VirtualThreads()
    dynamodb = Failing(threads, lambda _: True, lambda: client_error("ThrottlingException", operation="Scan"))
    with pytest.raises(TransientError, match="source table source"):
        invoke(FakeS3(), dynamodb, threads, work())


def test_a_page_that_hangs_leaves_the_time_for_closing() -> None:
    """In the real time of this machine: the answer that is awaited comes only when the invocation has ended."""
    ended = threading.Event()

    class Hanging(FakeDynamoDB):
        def scan(self, **request: Any) -> dict[str, Any]:
            if len(self.scans) == 2:
                assert ended.wait(60)
            return super().scan(**request)

    dynamodb, s3, ends = Hanging(page_items=10), FakeS3(), monotonic() + 2
    dynamodb.tables["source"] = [item(n) for n in range(45)]
    deadline = Deadline(lambda: int((ends - monotonic()) * 1000))
    pages = source(dynamodb).pages(PICKED, 0, 1, None, deadline)
    result = extract_segment(run(), work(), pages, staging(s3), 10**9)
    ended.set()

    assert not result.done
    assert result.counted("extracted") == len(staged(s3, "extract/")) == 20
