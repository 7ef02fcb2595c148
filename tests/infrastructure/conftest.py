"""The stack, synthesized once for each set of settings that the tests ask about."""

from __future__ import annotations

import pytest

from serverless_app.settings import PipelineSettings
from tests.infrastructure.synthesis import Synthesized, synthesize
from tests.tuned import TUNED


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The stack with all settings at their defaults."""
    return synthesize(tmp_path_factory.mktemp("default") / "cdk.out")


@pytest.fixture(scope="session")
def distributed_stack(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The stack with more workers than an inline Map runs at once, and nothing else changed."""
    return synthesize(tmp_path_factory.mktemp("distributed") / "cdk.out", settings=PipelineSettings(concurrency=41))


@pytest.fixture(scope="session")
def tuned_stack(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The stack with every setting at another value than its default."""
    return synthesize(tmp_path_factory.mktemp("tuned") / "cdk.out", settings=TUNED)
