"""Services that throttle, refuse or don't answer."""

from __future__ import annotations

import pytest

from tests.faults.catalogue import SERVICES, Fault
from tests.faults.conftest import SEED
from tests.faults.suite import Suite, random_of


@pytest.mark.parametrize("fault", SERVICES, ids=lambda fault: fault.name)
def test_nothing_is_lost_duplicated_or_wrong(suite: Suite, fault: Fault) -> None:
    row = suite.survive(fault, random_of(SEED, fault, 0))

    assert row.findings == []
    assert row.injected >= row.runs == 1
