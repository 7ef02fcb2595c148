"""The stack and the functions' code meet by strings: handlers and environment variables."""

from __future__ import annotations

import dataclasses
import importlib
from decimal import Decimal
from typing import Any

import pytest

from etl.invocation.code_version import STORES
from etl.settings import ExtractSettings, LoadSettings, TransformSettings
from etl.user.transformer import RECORD_SECONDS
from etl_cli.costs.capacity_inputs import MEMORY_MB
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

BUCKET = f"etl-staging-{ACCOUNT}-{REGION}"
DEFAULTS: dict[str, ExtractSettings | TransformSettings | LoadSettings] = {
    "extract": ExtractSettings(
        staging_bucket=BUCKET,
        source_table="etl-source-data",
        ledger_table="etl-run-ledger",
        catch_up_days=30,
        event_window_days=31,
        lookback_hours=24,
        lateness_minutes=15,
        concurrency=40,
        segment_bytes=256 * 1024**2,
        part_bytes=64 * 1024**2,
        stores=f"{BUCKET} etl-source-data etl-destination-data etl-run-ledger",
    ),
    "transform": TransformSettings(
        staging_bucket=BUCKET,
        part_bytes=64 * 1024**2,
        reject_threshold_percent=Decimal(5),
        drop_threshold_percent=Decimal(99),
        record_seconds=10,
    ),
    "load": LoadSettings(
        staging_bucket=BUCKET,
        destination_table="etl-destination-data",
        ledger_table="etl-run-ledger",
        max_write_units_per_second=0,
    ),
}
TUNED: dict[str, dict[str, Any]] = {
    "extract": {
        "catch_up_days": 7,
        "event_window_days": 3,
        "lookback_hours": 48,
        "lateness_minutes": 30,
        "concurrency": 7,
        "segment_bytes": 2048,
        "part_bytes": 4096,
    },
    "transform": {
        "part_bytes": 4096,
        "reject_threshold_percent": Decimal("2.5"),
        "drop_threshold_percent": Decimal("12.5"),
        "record_seconds": 3,
    },
    "load": {"max_write_units_per_second": 500},
}


@pytest.mark.parametrize("stage", DEFAULTS)
def test_the_runtime_and_its_sdk_move_with_a_deployment_alone(stack: Synthesized, stage: str) -> None:
    function = stack.named("AWS::Lambda::Function", f"etl-{stage}")

    assert function["RuntimeManagementConfig"] == {"UpdateRuntimeOn": "FunctionUpdate"}


@pytest.mark.parametrize("stage", DEFAULTS)
def test_the_handler_is_there_in_the_functions_code(stack: Synthesized, stage: str) -> None:
    module, _, name = stack.named("AWS::Lambda::Function", f"etl-{stage}")["Handler"].rpartition(".")

    assert callable(getattr(importlib.import_module(module), name))
    assert (stack.asset(f"etl-{stage}") / module.replace(".", "/")).with_suffix(".py").is_file()


@pytest.mark.parametrize("stage", DEFAULTS)
def test_the_environment_gives_the_stage_its_default_settings(stack: Synthesized, stage: str) -> None:
    expected = DEFAULTS[stage]

    assert type(expected).from_env(stack.environment(f"etl-{stage}")) == expected


@pytest.mark.parametrize("stage", DEFAULTS)
def test_the_stack_settings_reach_the_stage(tuned_stack: Synthesized, stage: str) -> None:
    expected = dataclasses.replace(DEFAULTS[stage], **TUNED[stage])

    assert type(expected).from_env(tuned_stack.environment(f"etl-{stage}")) == expected


@pytest.mark.parametrize("stage", DEFAULTS)
def test_no_variable_is_set_that_the_stage_does_not_read(stack: Synthesized, stage: str) -> None:
    read = {field.name.upper() for field in dataclasses.fields(DEFAULTS[stage])} | {STORES}

    assert set(stack.environment(f"etl-{stage}")) == read | {"LOG_LEVEL"}


def test_the_log_level_is_that_of_the_settings(stack: Synthesized, tuned_stack: Synthesized) -> None:
    for stage in DEFAULTS:
        assert stack.environment(f"etl-{stage}")["LOG_LEVEL"] == "INFO"
        assert tuned_stack.environment(f"etl-{stage}")["LOG_LEVEL"] == "DEBUG"


def test_the_architecture_is_that_of_the_settings(tuned_stack: Synthesized) -> None:
    for stage in DEFAULTS:
        assert tuned_stack.named("AWS::Lambda::Function", f"etl-{stage}")["Architectures"] == ["arm64"]
        assert list((tuned_stack.asset(f"etl-{stage}") / "msgspec").glob("*aarch64-linux-gnu.so"))


def test_a_preview_has_the_time_and_the_memory_of_a_run(stack: Synthesized) -> None:
    transform = stack.named("AWS::Lambda::Function", "etl-transform")

    assert transform["Environment"]["Variables"]["RECORD_SECONDS"] == str(RECORD_SECONDS)
    assert transform["MemorySize"] == MEMORY_MB
