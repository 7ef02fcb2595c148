"""The memory of a Transform worker for any transform(): in its own process, with its child in a retry."""

import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

import pytest

from etl.invocation.metrics import peak_memory_mb
from etl.model.run import Work
from etl.transform import transform_segment
from etl.user.isolation import IsolatedTransformer
from tests.fakes.s3 import FakeS3
from tests.unit.builders import array, hold, item, run, staged, staging, transformer, unlimited, user_code, work

MEMORY_MB = 512
ITEMS = 40
MEBIBYTE = 1024 * 1024
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
# Processes of a server that has imported this module: the memory of each begins at what the imports take.
_fresh = multiprocessing.get_context("forkserver")
_fresh.set_forkserver_preload([__name__])
_kept: list[Any] = []


def large(record: dict[str, Any]) -> Any:
    return record | {"text": "x" * 1024 * MEBIBYTE}


def grown(record: dict[str, Any]) -> Any:
    record["text"] = "x" * 1024 * MEBIBYTE
    return record


def many(record: dict[str, Any]) -> Any:
    return [record | {"n": n} for n in range(5_000_000)]


def many_one_by_one(record: dict[str, Any]) -> Any:
    return (record | {"n": n} for n in range(5_000_000))


def large_ones(record: dict[str, Any]) -> Any:
    return (record | {"text": "x" * 350_000, "n": n} for n in range(1_000))


def numbers(record: dict[str, Any]) -> Any:
    return record | {"many": list(range(20_000_000))}


def killed(_: dict[str, Any]) -> Any:
    os.abort()


TOO_MUCH = [large, grown, many, many_one_by_one, large_ones, numbers, killed]


def at_the_seventh(strike: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any], Any], Any]:
    return lambda record, _: strike(record) if record["id"] == "item-0007" else record


def kept(record: dict[str, Any], _: Any) -> Any:
    _kept.append(bytearray(60 * MEBIBYTE))
    return record


def several(record: dict[str, Any], _: Any) -> Any:
    """The records of an item, half as many as it may become, for each way."""
    return [record | {"text": "x" * 390_000, "n": n} for n in range(40)]


Transformed = tuple[Work, list[str], float]
"""Counts, the ids in quarantine, and the memory of the worker, beyond what it began with, and its child, in MiB."""


def transformed(transform: Callable[[dict[str, Any], Any], Any], retry: bool) -> Transformed:
    s3 = FakeS3()
    # They would hold the staged records.
    s3.upload_part = lambda **_: {"ETag": "x"}  # type: ignore[method-assign]
    s3.complete_multipart_upload = lambda **_: {"ETag": "x"}  # type: ignore[method-assign]
    hold(s3, f"extract/{run().id}/data.json", array([item(number) for number in range(ITEMS)]))
    before = peak_memory_mb()
    records = transformer(user_code(transform))
    bucket = staging(s3).for_retry() if retry else staging(s3)
    with IsolatedTransformer(records, MEMORY_MB) if retry else records as way:
        done = transform_segment(run(), work(extract_parts=1), way, bucket, unlimited(), 1 << 26)
    refused = [each["item"]["id"]["S"] for each in staged(s3, "quarantine/")]
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return done, refused, peak_memory_mb() - before + children


def answer(name: str, retry: bool, connection: Any) -> None:
    given = globals()[name]
    connection.send(transformed(at_the_seventh(given) if given in TOO_MUCH else given, retry))


def in_a_process(transform: Callable[..., Any], *, retry: bool) -> Transformed:
    ours, theirs = _fresh.Pipe()
    process = _fresh.Process(target=answer, args=(transform.__name__, retry, theirs))
    process.start()
    theirs.close()
    try:
        result: Transformed = ours.recv()
    finally:
        process.join()
    return result


@pytest.mark.parametrize("strike", TOO_MUCH)
def test_a_record_that_takes_too_much_is_the_only_one_set_aside(strike: Callable[..., Any]) -> None:
    done, refused, memory_mb = in_a_process(strike, retry=True)

    assert refused == ["item-0007"]
    assert (done.counted("transformed"), done.counted("rejected_transform")) == (ITEMS - 1, 1)
    assert memory_mb < MEMORY_MB


@pytest.mark.parametrize("transform", [kept, several])
def test_records_that_take_much_together_cost_none(transform: Callable[..., Any]) -> None:
    done, refused, memory_mb = in_a_process(transform, retry=True)

    assert (done.counted("transformed"), refused) == (ITEMS, [])
    assert memory_mb < MEMORY_MB


@pytest.mark.parametrize("strike", [many_one_by_one, large_ones])
def test_results_that_come_one_by_one_never_kill_a_worker(strike: Callable[..., Any]) -> None:
    done, refused, memory_mb = in_a_process(strike, retry=False)

    assert (done.counted("transformed"), refused) == (ITEMS - 1, ["item-0007"])
    assert memory_mb < 200


def test_a_first_attempt_holds_few_results_together() -> None:
    done, refused, memory_mb = in_a_process(several, retry=False)

    assert (done.counted("transformed"), refused) == (ITEMS, [])
    assert memory_mb < 200
