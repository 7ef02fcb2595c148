"""The stack, synthesized once for each set of settings that the tests ask about."""

from __future__ import annotations

import pytest

from serverless_app.settings import PipelineSettings
from tests.infrastructure.synthesis import Synthesized, synthesize

TUNED = PipelineSettings(
    schedule="rate(6 hours)",
    schedule_enabled=False,
    lookback_hours=48,
    catch_up_days=7,
    event_window_days=3,
    lateness_minutes=30,
    concurrency=7,
    max_write_units_per_second=500,
    reject_threshold_percent=2.5,
    drop_threshold_percent=12.5,
    memory_mb=1024,
    record_seconds=3,
    segment_bytes=2048,
    part_bytes=4096,
    removal_policy="retain",
    log_retention_days=90,
    alarm_email="ops@example.com",
    late_hours=9,
    reject_alarm_percent=0.5,
    architecture="arm64",
    log_level="DEBUG",
)


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
