"""One set of functions for all tests of a process: they are kept from run to run, as Lambda does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.memory.aws import aws
from tests.memory.functions import Functions, functions


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Functions]:
    """The functions, and their AWS."""
    with aws(tmp_path_factory.mktemp("objects")) as found, functions(found, tmp_path_factory.mktemp("logs")) as made:
        yield made
