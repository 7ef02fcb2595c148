"""The settings object: defaults, what is refused and how, and the CDK context."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from inspect import cleandoc
from typing import Any

import pytest
from aws_cdk import App

from serverless_app.settings import CHECKOUT, LOG_RETENTIONS, PipelineSettings, SettingsError


def from_context(**context: object) -> PipelineSettings:
    keys = {f"etl:{name}": value for name, value in context.items()}
    return PipelineSettings.from_context(App(context={**keys, "unrelated": "x"}).node)


def test_defaults_are_those_of_the_specification() -> None:
    assert PipelineSettings() == PipelineSettings(
        schedule=None,
        schedule_enabled=True,
        lookback_hours=24,
        lateness_minutes=15,
        concurrency=40,
        max_write_units_per_second=0,
        reject_threshold_percent=5,
        event_window_days=31,
        drop_threshold_percent=99,
        memory_mb=512,
        record_seconds=10,
        segment_bytes=268435456,
        part_bytes=67108864,
        removal_policy="destroy",
        log_retention_days=30,
        alarm_email=None,
        late_hours=26,
        reject_alarm_percent=1,
        architecture="x86_64",
        log_level="INFO",
        lambda_platform="function",
    )


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        PipelineSettings().concurrency = 1  # type: ignore[misc]


def test_every_setting_is_documented() -> None:
    for knob in fields(PipelineSettings):
        # Python 3.13 and newer take the common indentation off a docstring.
        assert f"\n    {knob.name}: " in cleandoc(PipelineSettings.__doc__ or "")


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|:]+?)(?::[^|]*)? \|", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    # Which machine the packages are for is the local environment's business, not a user's.
    public = [knob for knob in fields(PipelineSettings) if knob.name != "lambda_platform"]

    names = {knob.name for knob in public}

    assert {name: default for name, default in rows if name in names} == {
        knob.name: "none" if knob.default is None else f"`{str(knob.default).replace('True', 'true')}`"
        for knob in public
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schedule", "0 2 * * *"),
        ("schedule", ""),
        ("schedule_enabled", "true"),
        ("schedule_enabled", 1),
        ("lookback_hours", 0),
        ("lookback_hours", 8785),
        ("lookback_hours", "24"),
        ("lookback_hours", 24.0),
        ("lookback_hours", True),
        ("catch_up_days", 0),
        ("catch_up_days", 367),
        ("lateness_minutes", -1),
        ("lateness_minutes", 10081),
        ("concurrency", 0),
        ("concurrency", 1001),
        ("max_write_units_per_second", -1),
        ("max_write_units_per_second", None),
        ("event_window_days", 0),
        ("event_window_days", 367),
        ("memory_mb", 511),
        ("memory_mb", 10241),
        ("memory_mb", 1024.5),
        ("record_seconds", 0),
        ("record_seconds", 241),
        ("drop_threshold_percent", -0.1),
        ("drop_threshold_percent", 100.1),
        ("reject_threshold_percent", -0.1),
        ("reject_threshold_percent", 100.1),
        ("reject_threshold_percent", float("nan")),
        ("reject_threshold_percent", True),
        ("segment_bytes", 1023),
        ("part_bytes", 5 * 1024**3 + 1),
        ("removal_policy", "snapshot"),
        ("removal_policy", None),
        ("log_retention_days", 31),
        ("log_retention_days", True),
        ("alarm_email", "nobody"),
        ("alarm_email", "a b@example.com"),
        ("architecture", "arm"),
        ("log_level", "info"),
        ("lambda_platform", "laptop"),
    ],
)
def test_a_bad_value_is_refused_with_what_was_got_what_is_allowed_and_how_to_fix_it(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        PipelineSettings(**{name: value})

    message = str(refused.value)
    assert message.startswith(f"{name} must be ")
    assert f", got {value!r}." in message
    assert f"`-c etl:{name}=VALUE`" in message
    assert "cdk.json" in message
    assert "the default is " in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schedule", "rate(1 hour)"),
        ("lookback_hours", 1),
        ("lookback_hours", 8784),
        ("lateness_minutes", 0),
        ("concurrency", 1),
        ("concurrency", 40),
        ("concurrency", 41),
        ("concurrency", 1000),
        ("max_write_units_per_second", 10_000_000),
        ("memory_mb", 512),
        ("memory_mb", 10240),
        ("record_seconds", 1),
        ("record_seconds", 240),
        ("drop_threshold_percent", 0),
        ("drop_threshold_percent", 100),
        ("reject_threshold_percent", 0),
        ("reject_threshold_percent", 100),
        ("reject_threshold_percent", 0.5),
        ("segment_bytes", 1024),
        ("part_bytes", 5 * 1024**3),
        *(("log_retention_days", days) for days in LOG_RETENTIONS),
        ("alarm_email", "data-team+etl@example.co.uk"),
    ],
)
def test_values_at_the_limits_are_taken(name: str, value: Any) -> None:
    assert getattr(PipelineSettings(**{name: value}), name) == value


def test_more_workers_than_lambda_runs_are_refused_with_that_reason() -> None:
    with pytest.raises(SettingsError, match=r"from 1 to 1000 \(what an account's functions run at once\), got 1001"):
        PipelineSettings(concurrency=1001)


@pytest.mark.parametrize(("concurrency", "distributed"), [(1, False), (40, False), (41, True), (1000, True)])
def test_more_workers_than_an_inline_map_runs_take_distributed_maps(concurrency: int, distributed: bool) -> None:
    assert PipelineSettings(concurrency=concurrency).distributed == distributed


def test_log_retentions_are_those_that_cdk_knows() -> None:
    from aws_cdk.aws_logs import RetentionDays

    assert {*LOG_RETENTIONS.values(), "INFINITE"} == {each.name for each in RetentionDays}


def test_without_context_the_defaults_hold() -> None:
    assert from_context() == PipelineSettings()


def test_context_takes_texts_as_the_command_line_gives_them() -> None:
    assert from_context(
        schedule="cron(30 4 * * ? *)",
        schedule_enabled="false",
        lookback_hours="48",
        reject_threshold_percent="2.5",
        removal_policy="retain",
        log_retention_days="90",
        alarm_email="ops@example.com",
        architecture="arm64",
    ) == PipelineSettings(
        schedule="cron(30 4 * * ? *)",
        schedule_enabled=False,
        lookback_hours=48,
        reject_threshold_percent=2.5,
        removal_policy="retain",
        log_retention_days=90,
        alarm_email="ops@example.com",
        architecture="arm64",
    )


def test_context_takes_typed_values_as_cdk_json_gives_them() -> None:
    assert from_context(
        schedule_enabled=False, lookback_hours=48, reject_threshold_percent=2.5, log_retention_days=7
    ) == PipelineSettings(schedule_enabled=False, lookback_hours=48, reject_threshold_percent=2.5, log_retention_days=7)


@pytest.mark.parametrize("name", ["schedule", "alarm_email"])
def test_an_empty_text_in_the_context_switches_off_what_can_be_off(name: str) -> None:
    assert from_context(**{name: ""}) == PipelineSettings()


@pytest.mark.parametrize(
    ("name", "text", "got"),
    [
        ("lookback_hours", "two", "'two'"),
        ("lookback_hours", "24.5", "'24.5'"),
        ("lookback_hours", "", "''"),
        ("concurrency", "8000", "8000"),
        ("schedule_enabled", "yes", "'yes'"),
        ("reject_threshold_percent", "5%", "'5%'"),
        ("log_retention_days", "31", "'31'"),
        ("removal_policy", "RETAIN", "'RETAIN'"),
    ],
)
def test_a_bad_text_in_the_context_is_refused_with_what_was_read(name: str, text: str, got: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} must be .*, got {got}\\."):
        from_context(**{name: text})


def test_an_unknown_setting_is_refused_with_the_nearest_and_all_names() -> None:
    with pytest.raises(SettingsError) as refused:
        from_context(lookback_hour="48")

    assert "There is no setting etl:lookback_hour; did you mean etl:lookback_hours?" in str(refused.value)
    for knob in fields(PipelineSettings):
        assert knob.name in str(refused.value)


def test_an_unknown_setting_like_no_other_is_refused_with_names() -> None:
    with pytest.raises(SettingsError, match=r"^There is no setting etl:colour\. The settings are: pipeline, s"):
        from_context(colour="red")
