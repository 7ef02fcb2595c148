"""The deployed pipeline for one test, which has a window and items of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.pipeline.execution import Window
from tests.pipeline.pipeline import Pipeline
from tests.support import Deployed

_numbers = itertools.count()


@pytest.fixture
def pipeline(deployed: Deployed) -> Iterator[Pipeline]:
    """The pipeline of the session; the test's items are removed at its end."""
    made = Pipeline(deployed, f"test{next(_numbers):03d}-")
    yield made
    made.clean_up()


@pytest.fixture
def window() -> Window:
    """A window that no other test of the session has."""
    return Window(datetime(2001, 1, 15, tzinfo=UTC) + timedelta(days=7 * next(_numbers)))
