"""The places where you set a setting: the context and ``pipeline.toml``."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS
from etl.model.settings_sources import cdk_context, configured
from etl.model.source_filter import parse_filter


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a pipeline in each of two folders."""
    for name in ("etl", "other"):
        folder = tmp_path / f"pipelines/{name}"
        folder.mkdir(parents=True)
        (folder / "transformation.py").touch()
    return tmp_path


def write(checkout: Path, text: str, pipeline: str = "etl") -> None:
    (checkout / f"pipelines/{pipeline}/pipeline.toml").write_text(text)


def test_without_a_setting_nothing_is_configured(checkout: Path) -> None:
    assert configured({"unrelated": "x"}, checkout) == {}


def test_the_context_takes_texts_and_typed_values(checkout: Path) -> None:
    given = {"etl:lookback_hours": "48", "etl:late_hours": 50, "etl:schedule": "", "etl:schedule_enabled": "false"}

    assert configured(given, checkout) == {
        "lookback_hours": 48,
        "late_hours": 50,
        "schedule": None,
        "schedule_enabled": False,
    }


def test_the_context_wins_over_pipeline_toml(checkout: Path) -> None:
    write(checkout, "[settings]\nlookback_hours = 48\nmemory_mb = 1024\n")

    assert configured({"etl:memory_mb": "2048"}, checkout) == {"lookback_hours": 48, "memory_mb": 2048}


def test_pipeline_toml_is_that_of_the_pipeline(checkout: Path) -> None:
    write(checkout, "[settings]\nlookback_hours = 48\n")
    write(checkout, "[settings]\nlookback_hours = 72\n", "other")

    found = configured({"etl:pipeline": "pipelines/other"}, checkout)

    assert found == {"pipeline": "pipelines/other", "lookback_hours": 72}


FILTER = {"expression": "amount > :least", "names": {}, "values": {":least": {"N": "1.50"}}}


def test_a_filter_may_be_a_table_an_object_or_its_json(checkout: Path) -> None:
    write(checkout, '[settings.source_filter]\nexpression = "amount > :least"\nvalues = {":least" = {N = "1.50"}}\n')
    of_table = configured({}, checkout)["source_filter"]
    of_object = configured({"etl:source_filter": FILTER}, checkout)["source_filter"]
    of_json = configured({"etl:source_filter": json.dumps(FILTER)}, checkout)["source_filter"]

    assert parse_filter(of_table) == parse_filter(of_object) == parse_filter(of_json)
    assert parse_filter(of_table).values == {":least": {"N": "1.50"}}


@pytest.mark.parametrize(
    ("value", "fact"),
    [
        ("1.5", '{"N": "1.5"}'),
        ("2024-01-15", "a filter expression"),
        ("[1]", "the value of :least"),
        ("'a'\nother = 1", "doesn't use other"),
    ],
)
def test_a_value_of_a_filter_that_is_not_exact_is_refused(checkout: Path, value: str, fact: str) -> None:
    expression = 'expression = "amount > :least"'
    write(checkout, f'[settings.source_filter]\n{expression}\n[settings.source_filter.values]\n":least" = {value}\n')

    with pytest.raises(SettingsError) as refused:
        configured({}, checkout)

    assert fact in str(refused.value)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[settings", "pipeline.toml can't be read"),
        ("\udc80", "pipeline.toml can't be read"),
        ("[setting]\n", "got setting"),
        ("settings = 1\n", "the table [settings]"),
        ("[settings]\nlookback_hour = 1\n", "did you mean lookback_hours?"),
        ("[settings]\nlookback_hours = 0\n", "lookback_hours must be"),
        ('[settings]\npipeline = "x"\n', "can't set pipeline"),
    ],
)
def test_a_wrong_pipeline_toml_is_refused(checkout: Path, text: str, fact: str) -> None:
    file = checkout / "pipelines/etl/pipeline.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(SettingsError) as refused:
        configured({}, checkout)

    assert fact in str(refused.value)


def test_a_refusal_says_how_to_set_the_setting(checkout: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        configured({"etl:late_hours": "0"}, checkout)

    for fact in ("got '0'", "`-c etl:late_hours=VALUE`", "cdk.json", "pipeline.toml", "the default is 26"):
        assert fact in str(refused.value)


def test_a_schedule_that_eventbridge_would_refuse_is_refused(checkout: Path) -> None:
    assert configured({"etl:schedule": "rate(6 hours)"}, checkout) == {"schedule": "rate(6 hours)"}
    with pytest.raises(SettingsError, match=r"^schedule must be rate.*, got 'cron\(60 2 \* \* \? \*\)'.*cdk.json"):
        configured({"etl:schedule": "cron(60 2 * * ? *)"}, checkout)


@pytest.mark.parametrize("folder", ["pipelines/", "pipelines/nothing", "..", "/", "", "\x00", "\ud800", "a" * 10_000])
def test_a_folder_without_a_pipeline_is_refused(checkout: Path, folder: str) -> None:
    (checkout.parent / "transformation.py").touch()

    with pytest.raises(SettingsError, match=r"^pipeline must be a folder in the checkout with transformation\.py, got"):
        configured({"etl:pipeline": folder}, checkout)


@pytest.mark.parametrize(("name", "nearest"), [("lookback_hour", "lookback_hours"), ("colour", "")])
def test_an_unknown_setting_is_refused_with_the_known_ones(checkout: Path, name: str, nearest: str) -> None:
    with pytest.raises(SettingsError) as refused:
        configured({f"etl:{name}": "48"}, checkout)

    assert f"There is no setting {name}" in str(refused.value)
    assert (f"did you mean {nearest}?" in str(refused.value)) == bool(nearest)
    for known in SETTINGS:
        assert known in str(refused.value)


def test_a_value_of_another_type_is_refused(checkout: Path) -> None:
    given: Any = {"a": [10**5000]}

    with pytest.raises(SettingsError, match=r"^late_hours must be .*too large to show"):
        configured({"etl:late_hours": given}, checkout)


def test_the_context_of_the_home_is_below_that_of_the_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the CDK CLI merges them: CDK developer guide, "Save and retrieve context variable values"."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (checkout / "cdk.json").write_text('{"context": {"etl:late_hours": 3}}')
    (home / ".cdk.json").write_text('{"context": {"etl:late_hours": 2, "etl:pipelines": "mine"}}')

    assert cdk_context(checkout) == {"etl:late_hours": 3, "etl:pipelines": "mine"}
    (home / ".cdk.json").write_text("{")
    with pytest.raises(SettingsError, match=r"\.cdk\.json can't be read"):
        cdk_context(checkout)
    (home / ".cdk.json").unlink()
    assert cdk_context(checkout) == {"etl:late_hours": 3}
