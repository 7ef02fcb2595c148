"""The deployed pipeline for one test, which has a window and items of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.pipeline.execution import Window
from tests.pipeline.ledger import Ledger
from tests.pipeline.modes import DISTRIBUTED, INLINE
from tests.pipeline.pipeline import Pipeline
from tests.support import PROXIED, Deployed, SharedAssemblies

_numbers = itertools.count()


@pytest.fixture(scope="session")
def distributed(make_environment: Callable[[], LocalEnvironment], assemblies: SharedAssemblies) -> Iterator[Deployed]:
    """As `deployed`, but with so many workers that the Maps are Distributed Maps."""
    environment = make_environment()
    environment.start(strict=True, settings=PROXIED)
    outputs = assemblies.deploy(environment, {"etl:concurrency": "100"})
    made = Deployed(environment, environment.clients(), outputs)
    with closing(made.relays):
        yield made


@pytest.fixture
def maps(request: pytest.FixtureRequest) -> str:
    """Which kind of Maps the test's pipeline has."""
    return str(getattr(request, "param", INLINE))


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, maps: str) -> Iterator[Pipeline]:
    """The pipeline of the session; the test's items are removed at its end."""
    deployed = request.getfixturevalue("distributed" if maps == DISTRIBUTED else "deployed")
    made = Pipeline(deployed, f"test{next(_numbers):03d}-")
    yield made
    made.clean_up()


@pytest.fixture
def window() -> Window:
    """A window that no other test of the session has."""
    return Window(datetime(2001, 1, 15, tzinfo=UTC) + timedelta(days=7 * next(_numbers)))


@pytest.fixture
def ledger(pipeline: Pipeline) -> Iterator[Ledger]:
    """The ledger without a watermark, so that a default window is a day; at the end it has its own again."""
    made = Ledger(pipeline)
    before = made.watermark()
    made.begin(None)
    yield made
    made.begin(datetime.fromisoformat(before) if before else None)
