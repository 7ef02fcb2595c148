"""Processes of functions that die or run out of time, at seeded moments."""

from __future__ import annotations

import pytest

from tests.faults.catalogue import WORKERS, Fault
from tests.faults.conftest import SEED
from tests.faults.suite import Suite, random_of


@pytest.mark.parametrize("fault", WORKERS, ids=lambda fault: fault.name)
def test_nothing_is_lost_duplicated_or_wrong(suite: Suite, fault: Fault) -> None:
    row = suite.survive(fault, random_of(SEED, fault, 0))

    assert row.findings == []
    assert row.injected == row.runs == 1
