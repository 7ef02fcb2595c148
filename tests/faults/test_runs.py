"""Executions that overlap, are stopped or fail."""

from __future__ import annotations

import pytest

from tests.faults.catalogue import RUNS, Fault
from tests.faults.conftest import SEED
from tests.faults.suite import Suite, random_of


@pytest.mark.parametrize("fault", RUNS, ids=lambda fault: fault.name)
def test_executions_end_with_all_that_is_due(suite: Suite, fault: Fault) -> None:
    row = suite.survive(fault, random_of(SEED, fault, 0))

    assert row.findings == []
    assert (row.injected, row.runs) == (1, 2)
