"""What the tests of the command share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

_NAME = "etl.transformation"


@pytest.fixture(autouse=True)
def own_transformation() -> Iterator[None]:
    """Other tests find the transformation that is shipped, whichever files this one has loaded."""
    before = sys.modules.get(_NAME)
    yield
    if before:
        sys.modules[_NAME] = before
    else:
        sys.modules.pop(_NAME, None)
