"""The stack and the functions' code meet by strings: handlers and environment variables."""

from __future__ import annotations

import importlib
from dataclasses import asdict, fields
from typing import Any

import pytest

from etl.model.names import ETL
from etl.model.settings import SETTINGS
from etl.model.stages import FUNCTIONS
from etl.model.statuses import INVOCATION_LIMIT
from etl.model.table_access import EXISTING
from etl.settings import BY_FUNCTION, OPTIONAL, environment
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized
from tests.tuned import TUNED

BUCKET = f"etl-staging-{ACCOUNT}-{REGION}"
NAMES = {
    "staging_bucket": BUCKET,
    "source_table": "etl-source-data",
    "destination_table": "etl-destination-data",
    "ledger_table": "etl-run-ledger",
    "stores": f"{BUCKET} etl-source-data etl-destination-data etl-run-ledger",
}
# Variables that stay as they are, since people read them in the console.
DEFAULTS: dict[str, dict[str, Any]] = {
    "extract": {
        "CATCH_UP_DAYS": "30",
        "CONCURRENCY": "40",
        "EVENT_WINDOW_DAYS": "31",
        "LATENESS_MINUTES": "15",
        "LOOKBACK_HOURS": "24",
        "PART_BYTES": "67108864",
        "SEGMENT_BYTES": "268435456",
        "SOURCE_TABLE": "etl-source-data",
        "LEDGER_TABLE": "etl-run-ledger",
    },
    "transform": {
        "DROP_THRESHOLD_PERCENT": "99",
        "PART_BYTES": "67108864",
        "RECORD_SECONDS": "10",
        "REJECT_THRESHOLD_PERCENT": "5",
    },
    "load": {
        "DESTINATION_TABLE": "etl-destination-data",
        "LEDGER_TABLE": "etl-run-ledger",
        "MAX_WRITE_UNITS_PER_SECOND": "0",
    },
}
OF_ALL = {"LOG_LEVEL": "INFO", "STAGING_BUCKET": BUCKET, "STORES": NAMES["stores"]}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_runtime_changes_only_with_a_deployment(stack: Synthesized, function: str) -> None:
    properties = stack.named("AWS::Lambda::Function", ETL.function(function))

    assert properties["RuntimeManagementConfig"] == {"UpdateRuntimeOn": "FunctionUpdate"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_handler_is_in_the_functions_code(stack: Synthesized, function: str) -> None:
    module, _, name = stack.named("AWS::Lambda::Function", ETL.function(function))["Handler"].rpartition(".")

    assert callable(getattr(importlib.import_module(module), name))
    assert (stack.asset(ETL.function(function)) / module.replace(".", "/")).with_suffix(".py").is_file()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_environment_has_the_functions_settings(stack: Synthesized, function: str) -> None:
    found = stack.environment(ETL.function(function))

    assert found.items() >= (DEFAULTS[function] | OF_ALL).items()
    optional = {*EXISTING, *(each.variable for each in OPTIONAL.values())}
    assert found.keys() == {each.name.upper() for each in fields(BY_FUNCTION[function])} - optional


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_functions_read_the_settings_of_the_stack(tuned_stack: Synthesized, function: str) -> None:
    found = tuned_stack.environment(ETL.function(function))

    assert found == environment(function, {**asdict(TUNED), **NAMES})
    parsed = asdict(BY_FUNCTION[function].from_env(found))
    for name in EXISTING:
        assert parsed.pop(name.lower(), None) is None
    assert parsed.keys() - NAMES.keys() <= SETTINGS.keys()
    assert parsed == {name: {**asdict(TUNED), **NAMES}[name] for name in parsed}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_the_time_that_the_command_expects(stack: Synthesized, function: str) -> None:
    assert stack.named("AWS::Lambda::Function", ETL.function(function))["Timeout"] == INVOCATION_LIMIT.total_seconds()


def test_the_architecture_is_that_of_the_settings(tuned_stack: Synthesized) -> None:
    for function in FUNCTIONS:
        assert tuned_stack.named("AWS::Lambda::Function", ETL.function(function))["Architectures"] == ["arm64"]
        assert list((tuned_stack.asset(ETL.function(function)) / "msgspec").glob("*aarch64-linux-gnu.so"))
