"""The ceilings on units of real workers, by the emulator's measure, request by request."""

from __future__ import annotations

from etl.tables.read_pace import LEAST_SHARE
from tests.pipeline.ceiling import READERS, WORKERS, measure, measure_reads
from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline

SPAN_SECONDS = 10


def test_it_holds_across_workers_within_a_tenth_and_is_used(pipeline: Pipeline, window: Window) -> None:
    """Over any ten seconds, which is stricter than over any minute; `make faults` takes more than a minute for it."""
    # The workers start up to three seconds apart on a busy machine; all must be at work for ten seconds.
    measured = measure(pipeline, window, ceiling=600, seconds=16)

    assert measured.processes == WORKERS
    assert measured.is_held(SPAN_SECONDS), measured.told(SPAN_SECONDS)


def test_readers_hold_theirs_and_no_more_of_them_share_it(pipeline: Pipeline, window: Window) -> None:
    """Over any ten seconds, in which each may have read one page too early, and have saved up a second."""
    measured = measure_reads(pipeline, window, ceiling=READERS * LEAST_SHARE, seconds=16)

    assert measured.most(SPAN_SECONDS) <= (SPAN_SECONDS + 2) / SPAN_SECONDS, measured.told(SPAN_SECONDS)
    assert measured.used >= 0.9, measured.told(SPAN_SECONDS)
