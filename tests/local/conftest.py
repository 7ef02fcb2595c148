"""The embedded AWS with all corrections, and without any."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from etl_cli.local.clients import Clients
from etl_cli.local.environment import LocalEnvironment
from tests.conftest import MakeEnvironment

# Retries and waits take a tenth of their time.
SETTINGS = {"SFN_WAIT_SCALE": "0.1"}

UNCORRECTED_SERVER = "from etl_cli.local import server; server.apply_all = lambda: None; server.main()"


class UncorrectedEnvironment(LocalEnvironment):
    """ministack as it is."""

    def _command(self, token: str) -> list[str]:
        return [sys.executable, "-c", UNCORRECTED_SERVER, token]


@pytest.fixture
def environment(make_environment: MakeEnvironment) -> Iterator[LocalEnvironment]:
    made = make_environment()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def corrected(make_environment: MakeEnvironment) -> Iterator[Clients]:
    environment = make_environment()
    environment.start(settings=SETTINGS)
    yield environment.clients()
    environment.stop()


@pytest.fixture(scope="module")
def uncorrected(make_environment: MakeEnvironment) -> Iterator[Clients]:
    environment = make_environment(UncorrectedEnvironment)
    environment.start(settings=SETTINGS)
    yield environment.clients()
    environment.stop()
