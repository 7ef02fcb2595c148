"""The ceiling on write units of real workers, by the emulator's measure, batch by batch."""

from __future__ import annotations

from tests.pipeline.ceiling import WORKERS, measure
from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline

SPAN_SECONDS = 10


def test_it_holds_across_workers_within_a_tenth_and_is_used(pipeline: Pipeline, window: Window) -> None:
    """Over any ten seconds, which is stricter than over any minute; `make faults` takes more than a minute for it."""
    # The workers start up to three seconds apart on a busy machine; all must be at work for ten seconds.
    measured = measure(pipeline, window, ceiling=600, seconds=16)

    assert measured.processes == WORKERS
    assert measured.is_held(SPAN_SECONDS), measured.told(SPAN_SECONDS)
