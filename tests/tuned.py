"""A pipeline with settings other than the defaults, for tests of the stack and of the command."""

from __future__ import annotations

from serverless_app.settings import PipelineSettings

TUNED = PipelineSettings(
    schedule="rate(6 hours)",
    schedule_enabled=False,
    lookback_hours=48,
    catch_up_days=7,
    event_window_days=3,
    lateness_minutes=30,
    concurrency=7,
    source_read_units_per_second=300,
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
