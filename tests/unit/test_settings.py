"""The declaration of the settings, and the functions' environment."""

import re
from dataclasses import fields
from typing import Any

import pytest

from etl.model.configured_schema import schema_of
from etl.model.errors import ConfigurationError
from etl.model.schema import SPECIFIED
from etl.model.setting import SettingsError
from etl.model.settings import OF_APP, SETTINGS, ReadByStack, Settings
from etl.model.source_filter import parse_filter
from etl.model.table_access import EXISTING
from etl.settings import BY_FUNCTION, ExtractSettings, LoadSettings, TransformSettings, environment
from tests.fakes.pipeline import ENVIRONMENT, NAMES

RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
CEILING = "source_read_units_per_second"
# Values at the limits of what is allowed.
ALLOWED: list[tuple[str, Any]] = [
    ("stage", None),
    ("stage", "dev"),
    ("stage", "12345678"),
    ("schedule", "rate(1 hour)"),
    ("schedule", None),
    ("lookback_hours", 1),
    ("lookback_hours", 8784),
    ("catch_up_days", 366),
    ("lateness_minutes", 0),
    ("concurrency", 1),
    ("concurrency", 1000),
    ("source_read_units_per_second", 0),
    ("source_read_units_per_second", 10_000_000),
    ("max_write_units_per_second", 0),
    ("max_write_units_per_second", 10_000_000),
    ("memory_mb", 512),
    ("memory_mb", 10240),
    ("record_seconds", 240),
    ("drop_threshold_percent", 100),
    ("reject_threshold_percent", 0),
    ("reject_threshold_percent", 0.5),
    ("segment_bytes", 1024),
    ("part_bytes", 1024),
    ("part_bytes", 5 * 1024**3),
    *(("log_retention_days", days) for days in RETENTIONS),
    ("alarm_email", "data-team+etl@example.co.uk"),
    ("source_cursor", r"a\.b.c"),
    ("source_cursor", ".".join("abcdef")),
    ("source_cursor_zone", "Europe/Berlin"),
    ("source_filter", None),
    ("source_filter", '{"expression": "begins_with(sk, :p)", "values": {":p": "ORDER#"}}'),
    ("destination_keys", "pk:S,sk:N"),
    ("destination_keys", "x" * 255 + ":B"),
]
# Values that are refused, typed or as a text.
REFUSED: list[tuple[str, Any]] = [
    ("stage", "Dev"),
    ("stage", "pre-prod"),
    ("stage", "123456789"),
    ("stage", "dév"),
    ("schedule_enabled", "yes"),
    ("schedule_enabled", "True"),
    ("schedule_enabled", "1"),
    ("schedule_enabled", 1),
    ("lookback_hours", 0),
    ("lookback_hours", 8785),
    ("lookback_hours", "two"),
    ("lookback_hours", "24.5"),
    ("lookback_hours", "24.0"),
    ("lookback_hours", "1e1"),
    ("lookback_hours", 24.0),
    ("lookback_hours", ""),
    ("lookback_hours", True),
    ("catch_up_days", 367),
    ("lateness_minutes", -1),
    ("lateness_minutes", 10081),
    ("concurrency", 1001),
    ("concurrency", "1_000"),
    ("concurrency", "٣"),
    ("source_read_units_per_second", -1),
    ("source_read_units_per_second", 0.5),
    ("max_write_units_per_second", -1),
    ("max_write_units_per_second", None),
    ("event_window_days", 0),
    ("memory_mb", 511),
    ("memory_mb", 10241),
    ("memory_mb", 1024.5),
    ("record_seconds", 241),
    ("drop_threshold_percent", -0.1),
    ("drop_threshold_percent", 100.1),
    ("reject_threshold_percent", float("nan")),
    ("reject_threshold_percent", "Infinity"),
    ("reject_threshold_percent", "5%"),
    ("reject_threshold_percent", True),
    ("segment_bytes", 1023),
    ("segment_bytes", 1024**4 + 1),
    ("part_bytes", 1023),
    ("part_bytes", 5 * 1024**3 + 1),
    ("removal_policy", "snapshot"),
    ("removal_policy", "RETAIN"),
    ("removal_policy", None),
    ("log_retention_days", 31),
    ("log_retention_days", True),
    ("alarm_email", "nobody"),
    ("alarm_email", "a b@example.com"),
    ("architecture", "arm"),
    ("log_level", "info"),
    ("lambda_platform", "laptop"),
]
# Texts that are refused with a reason.
REASONED = [
    ("source_cursor", "", "names joined by dots"),
    ("source_cursor", "a..b", "names joined by dots"),
    ("source_cursor_zone", "", "no time zone"),
    ("destination_keys", "", "one or two"),
    ("source_cursor", r"a\b", "a backslash"),
    ("source_cursor", ".".join("abcdefg"), "7 names"),
    ("source_cursor_zone", "Europe/Berlim", "Europe/Berlim"),
    ("source_cursor_zone", "../../etc/passwd", "no time zone"),
    ("source_filter", "x", "no JSON"),
    ("destination_keys", "pk", "NAME:TYPE"),
    ("destination_keys", "pk:M", "S, N, B"),
    ("destination_keys", ":S", "1 to 255 bytes"),
    ("destination_keys", "ä" * 128 + ":S", "1 to 255 bytes"),
    ("destination_keys", "a:S,b:S,c:S", "one or two"),
    ("destination_keys", "a:S,", "one or two"),
    ("destination_keys", "a:S, a:N", "the name 'a'"),
]


def test_defaults_are_those_of_the_specification() -> None:
    assert Settings() == Settings(
        pipelines="pipelines",
        stage=None,
        schedule=None,
        schedule_enabled=True,
        lookback_hours=24,
        lateness_minutes=15,
        catch_up_days=30,
        event_window_days=31,
        concurrency=40,
        source_read_units_per_second=0,
        max_write_units_per_second=0,
        reject_threshold_percent=5,
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


@pytest.mark.parametrize("name", SETTINGS)
def test_a_default_is_allowed_and_has_a_sentence(name: str) -> None:
    setting = SETTINGS[name]

    assert setting.parse(setting.default, strict=True) == setting.default
    assert setting.sentence.endswith(".")
    assert setting.allowed


@pytest.mark.parametrize(("name", "value"), ALLOWED)
def test_a_value_at_the_limits_is_allowed(name: str, value: Any) -> None:
    assert SETTINGS[name].parse(value, strict=True) == value
    assert SETTINGS[name].parse("" if value is None else f" {value} ") == value


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_refusal_says_what_is_allowed_and_what_was_got(name: str, value: Any) -> None:
    for strict in (False, True):
        with pytest.raises(SettingsError) as refused:
            SETTINGS[name].parse(value, strict=strict)

        assert str(refused.value).startswith(f"{name} must be {SETTINGS[name].allowed}")
        assert str(refused.value).endswith(f", got {value!a}")


@pytest.mark.parametrize(("name", "text", "reason"), REASONED)
def test_a_refusal_gives_the_reason(name: str, text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        SETTINGS[name].parse(text, strict=True)

    said, _, why = str(refused.value).partition(", got ")
    assert said == f"{name} must be {SETTINGS[name].allowed}"
    assert reason in why


def test_too_many_workers_are_refused_with_the_reason() -> None:
    assert re.search(r"whole number of workers from 1 to 1000 \(an account", SETTINGS["concurrency"].allowed)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("schedule_enabled", "false", False),
        ("lookback_hours", "48", 48),
        ("reject_threshold_percent", "2.5", 2.5),
        ("log_retention_days", "90", 90),
        ("alarm_email", "", None),
    ],
)
def test_a_text_is_converted_but_no_typed_value(name: str, text: str, value: object) -> None:
    assert SETTINGS[name].parse(text) == value
    with pytest.raises(SettingsError):
        SETTINGS[name].parse(text, strict=True)


@pytest.mark.parametrize("function", BY_FUNCTION)
def test_a_function_parses_the_environment_that_the_stack_writes(function: str) -> None:
    values: dict[str, Any] = {name: setting.default for name, setting in SETTINGS.items()} | NAMES
    values |= dict.fromkeys(name.lower() for name in EXISTING)
    kind = BY_FUNCTION[function]

    parsed = kind.from_env(environment(function, values))

    assert parsed == kind(**{each.name: values[each.name] for each in fields(kind)})


def test_a_setting_of_the_tables_is_a_variable_only_if_it_is_set() -> None:
    text = '{"expression": "begins_with(sk, :p)", "values": {":p": "ORDER#"}}'
    values = {name: setting.default for name, setting in SETTINGS.items()} | NAMES
    given = {"source_cursor": r"a\.b.c", "source_filter": text, "destination_keys": "pk:S,sk:N"}

    before, after = (environment("extract", each) for each in (values, values | given))

    assert dict(after.items() - before.items()) == {name.upper(): value for name, value in given.items()}
    schema = schema_of(ExtractSettings.from_env(after))
    assert (schema.time.path, schema.destination_names) == (("a.b", "c"), ("pk", "sk"))
    assert schema.filter == parse_filter(text)
    assert schema_of(ExtractSettings.from_env(before)) == SPECIFIED


def test_a_setting_is_read_by_the_app_the_stack_or_a_function() -> None:
    read = {*OF_APP, *(each.name for each in fields(ReadByStack))}
    for kind in BY_FUNCTION.values():
        read |= {each.name for each in fields(kind)}

    names = NAMES.keys() - SETTINGS.keys() | {each.lower() for each in EXISTING}
    assert read - names == SETTINGS.keys()


@pytest.mark.parametrize("given", [{}, {"STAGING_BUCKET": ""}, {"STAGING_BUCKET": "  "}])
def test_a_missing_variable_is_named(given: dict[str, str]) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "STAGING_BUCKET"} | given

    with pytest.raises(ConfigurationError, match=r"STAGING_BUCKET is missing or empty.*deploy the stack again"):
        LoadSettings.from_env(environment)


def test_a_setting_without_its_variable_has_no_default() -> None:
    with pytest.raises(ConfigurationError, match="MAX_WRITE_UNITS_PER_SECOND is missing"):
        LoadSettings.from_env({name: ENVIRONMENT[name] for name in ENVIRONMENT if not name.startswith("MAX")})


def test_a_ceiling_on_reads_has_a_variable_only_if_it_is_set() -> None:
    values = {name: setting.default for name, setting in SETTINGS.items()} | NAMES
    without, limited = (environment("extract", values | {CEILING: units}) for units in (0, 200))

    assert limited == without | {"SOURCE_READ_UNITS_PER_SECOND": "200"}
    assert ExtractSettings.from_env(without).source_read_units_per_second == 0
    assert ExtractSettings.from_env(limited).source_read_units_per_second == 200


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(ExtractSettings, "LOOKBACK_HOURS", "0"), (TransformSettings, "DROP_THRESHOLD_PERCENT", "101")],
)
def test_a_refused_variable_is_named_with_the_bounds(kind: Any, name: str, value: str) -> None:
    allowed = re.escape(SETTINGS[name.lower()].allowed)

    with pytest.raises(ConfigurationError, match=f"^{name} must be {allowed}, got '{value}'.*deploy the stack again"):
        kind.from_env(ENVIRONMENT | {name: value})


@pytest.mark.parametrize(("text", "shown"), [("5", "5"), ("5.0", "5"), ("0.1", "0.1"), ("2.5", "2.5"), ("100", "100")])
def test_a_threshold_is_the_exact_decimal(text: str, shown: str) -> None:
    settings = TransformSettings.from_env(
        ENVIRONMENT | {"REJECT_THRESHOLD_PERCENT": text, "DROP_THRESHOLD_PERCENT": text}
    )

    assert str(settings.reject_threshold) == str(settings.drop_threshold) == shown
