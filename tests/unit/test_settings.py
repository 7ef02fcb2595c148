import re
from decimal import Decimal

import pytest

from etl.model.errors import ConfigurationError
from etl.settings import ExtractSettings, LoadSettings, TransformSettings
from tests.fakes.pipeline import ENVIRONMENT


def test_extract_settings_are_parsed() -> None:
    assert ExtractSettings.from_env(ENVIRONMENT) == ExtractSettings(
        staging_bucket="staging",
        source_table="source",
        ledger_table="ledger",
        catch_up_days=30,
        event_window_days=31,
        lookback_hours=24,
        lateness_minutes=15,
        concurrency=40,
        segment_bytes=1000,
        part_bytes=67108864,
        stores="staging source destination ledger",
    )


def test_transform_settings_are_parsed() -> None:
    assert TransformSettings.from_env(ENVIRONMENT | {"REJECT_THRESHOLD_PERCENT": "0.5"}) == TransformSettings(
        staging_bucket="staging",
        part_bytes=67108864,
        reject_threshold_percent=Decimal("0.5"),
        drop_threshold_percent=Decimal(99),
        record_seconds=10,
    )


def test_load_settings_are_parsed() -> None:
    assert LoadSettings.from_env(ENVIRONMENT) == LoadSettings(
        staging_bucket="staging",
        destination_table="destination",
        ledger_table="ledger",
        max_write_units_per_second=0,
    )


@pytest.mark.parametrize("given", [{}, {"STAGING_BUCKET": ""}, {"STAGING_BUCKET": "  "}])
def test_a_variable_that_is_missing_is_named(given: dict[str, str]) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "STAGING_BUCKET"} | given

    with pytest.raises(ConfigurationError, match=r"STAGING_BUCKET is missing or empty.*deploy the stack again"):
        LoadSettings.from_env(environment)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LOOKBACK_HOURS", "0", "hours from 1 to 878400"),
        ("LOOKBACK_HOURS", "-3", "hours from 1 to 878400"),
        ("LOOKBACK_HOURS", "1.5", "hours from 1 to 878400"),
        ("LOOKBACK_HOURS", "1_000", "hours from 1 to 878400"),
        ("LOOKBACK_HOURS", "٣", "hours from 1 to 878400"),
        ("LATENESS_MINUTES", "-1", "minutes from 0 to 52704000"),
        ("CONCURRENCY", "0", "workers from 1 to 1000000000000000"),
        ("SEGMENT_BYTES", "0", "bytes from 1 to 1000000000000000"),
        ("LOOKBACK_HOURS", "878401", "hours from 1 to 878400"),
        ("CATCH_UP_DAYS", "0", "days from 1 to 36600"),
        ("CATCH_UP_DAYS", "36601", "days from 1 to 36600"),
        ("EVENT_WINDOW_DAYS", "0", "days from 1 to 36600"),
        ("LATENESS_MINUTES", "99999999999", "minutes from 0 to 52704000"),
        ("CONCURRENCY", "1" + "0" * 15 + "1", "workers from 1 to 1000000000000000"),
        ("PART_BYTES", "many", "bytes from 1 to 1000000000000000"),
    ],
)
def test_a_number_that_is_not_allowed_is_shown_with_what_is(name: str, value: str, expected: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"{name} must be a whole number of {expected}, got " + re.escape(ascii(value))
    ):
        ExtractSettings.from_env(ENVIRONMENT | {name: value})


def test_no_lateness_is_allowed() -> None:
    assert ExtractSettings.from_env(ENVIRONMENT | {"LATENESS_MINUTES": "0"}).lateness_minutes == 0


@pytest.mark.parametrize("name", ["REJECT_THRESHOLD_PERCENT", "DROP_THRESHOLD_PERCENT"])
@pytest.mark.parametrize("value", ["-1", "100.1", "NaN", "Infinity", "five"])
def test_a_threshold_is_from_0_to_100(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a number of percent from 0 to 100"):
        TransformSettings.from_env(ENVIRONMENT | {name: value})


@pytest.mark.parametrize("value", ["0", "241", "1.5"])
def test_the_time_for_a_record_leaves_some_of_an_invocation(value: str) -> None:
    with pytest.raises(ConfigurationError, match="RECORD_SECONDS must be a whole number of seconds from 1 to 240"):
        TransformSettings.from_env(ENVIRONMENT | {"RECORD_SECONDS": value})


@pytest.mark.parametrize("value", ["0", "100"])
def test_a_threshold_may_be_either_end(value: str) -> None:
    settings = TransformSettings.from_env(ENVIRONMENT | {"REJECT_THRESHOLD_PERCENT": value})

    assert settings.reject_threshold_percent == int(value)
