"""Transformations that hang, end their process or drop everything: each ends as a run that says so, and soon."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.pipeline.execution import Window
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.transformations import FUNCTIONS, deployed_transformation

SOURCE = """
import ctypes, os, signal, time
from typing import TypedDict

class Contract(TypedDict):
    id: str

def transform(record, run):
    if record["name"] == "strike":
        {strike}
    return {result}
"""


@contextmanager
def transforming(
    pipeline: Pipeline, strike: str = "pass", result: str = "record", functions: tuple[str, ...] = FUNCTIONS
) -> Iterator[None]:
    """Functions that have another transformation; they have their own again afterwards."""
    with deployed_transformation(pipeline, SOURCE.format(strike=strike, result=result), functions):
        yield


def put(pipeline: Pipeline, window: Window, *striking: int) -> None:
    pipeline.put(
        pipeline.item(f"{number}", window.at(number), name={"S": "strike" if number in striking else "fine"})
        for number in range(60)
    )


BLOCKED = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(300)"


@pytest.mark.parametrize(
    ("strike", "words"),
    [
        ("while True: pass", "within 1 s, got no result by then (transformation.py line 10)"),
        ("time.sleep(300)", "within 1 s, got no result by then (transformation.py line 10)"),
        ("os._exit(0)", "got an end with exit status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "got an end by signal SIGKILL"),
        ("ctypes.string_at(0)", "got an end by signal SIGSEGV"),
        (BLOCKED, "within 1 s, got no result by then (it can't be interrupted)"),
    ],
)
def test_an_item_that_hangs_or_ends_the_process_is_set_aside(
    pipeline: Pipeline, window: Window, strike: str, words: str
) -> None:
    striking = [40] if strike == BLOCKED else [3, 40]  # each of these takes a whole invocation
    put(pipeline, window, *striking)
    with (
        transforming(pipeline, strike),
        pipeline.configured("etl-transform", timeout_seconds=10, RECORD_SECONDS="1"),
    ):
        execution = pipeline.run(window.input)

    quarantined = pipeline.quarantined(execution)
    assert quarantined.keys() == {f"{number}" for number in striking}
    assert all(words in line.decode() for line in quarantined.values())
    assert pipeline.loaded_names() == {f"{number}" for number in range(60)} - quarantined.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="the local environment limits memory on Linux alone")
def test_an_item_that_takes_the_function_s_memory_is_set_aside(pipeline: Pipeline, window: Window) -> None:
    put(pipeline, window, 3, 40)
    with transforming(pipeline, "bytearray(600 << 20)"):
        execution = pipeline.run(window.input)

    assert execution.failures("Transform") == ["Runtime.OutOfMemory"]
    quarantined = pipeline.quarantined(execution)
    assert quarantined.keys() == {"3", "40"}
    # With its size as the reason.
    assert all("bytes of JSON (transformation.py line " in line.decode() for line in quarantined.values())
    assert pipeline.loaded_names() == {f"{number}" for number in range(60)} - quarantined.keys()


def test_a_run_that_drops_everything_is_stopped_before_it_loads(
    pipeline: Pipeline, window: Window, ledger: Ledger
) -> None:
    put(pipeline, window)
    with transforming(pipeline, result="None"):
        execution = pipeline.fail(window.input)

    assert (execution.error, ledger.entry(execution.arn)["stage"]) == ("TransformationError", "Gate")
    assert "transform() returned nothing for 60 of 60 items" in execution.message
    assert pipeline.loaded_names() == set()
    assert ledger.watermark() is None
