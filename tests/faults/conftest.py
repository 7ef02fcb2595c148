"""The fault suite's environment: one for each process of the tests, which nobody else uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeEnvironment
from tests.faults.suite import Row, Suite, running

SEED = 1


@pytest.fixture(scope="session")
def rehearsed(make_environment: MakeEnvironment) -> Iterator[tuple[Suite, Row]]:
    """The suite, and the row of its run without faults."""
    with running(make_environment()) as rehearsed:
        yield rehearsed


@pytest.fixture(scope="session")
def suite(rehearsed: tuple[Suite, Row]) -> Suite:
    """The suite; a run without faults leaves everything right."""
    suite, row = rehearsed
    assert row.findings == []
    return suite
