"""The places where you set a setting: the context and ``pipeline.toml``."""

import json
from pathlib import Path
from typing import Any

import pytest

from etl.model.setting import SettingsError
from etl.model.settings import OF_APP, SETTINGS
from etl.model.settings_sources import cdk_context, check_name, configured, pipeline_folder, pipelines_of
from etl.model.source_filter import parse_filter


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with two pipelines."""
    add(tmp_path, "pipelines/etl", "pipelines/other")
    return tmp_path


def add(checkout: Path, *folders: str) -> None:
    for folder in folders:
        (checkout / folder).mkdir(parents=True, exist_ok=True)
        (checkout / folder / "transformation.py").touch()


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

    assert configured({}, checkout) == {"lookback_hours": 48}
    assert configured({}, checkout, "other") == {"lookback_hours": 72}


def test_a_setting_of_the_context_is_of_the_pipeline_that_it_names(checkout: Path) -> None:
    context = {"etl:late_hours": 50, "other:late_hours": "60", "other:memory_mb": "1024"}

    assert configured(context, checkout) == {"late_hours": 50}
    assert configured(context, checkout, "other") == {"late_hours": 60, "memory_mb": 1024}


STAGES = """
[settings]
lookback_hours = 24
late_hours = 30
memory_mb = 512

[stage.dev]
late_hours = 40
memory_mb = 1024

[stage.prod]
late_hours = 50
alarm_email = "ops@example.com"
"""


@pytest.mark.parametrize("pipeline", ["etl", "other"])
@pytest.mark.parametrize(
    ("stage", "late_hours", "others"),
    [(None, 30, {}), ("dev", 40, {}), ("prod", 50, {"alarm_email": "ops@example.com"}), ("test", 30, {})],
)
def test_the_context_wins_over_the_stage_and_that_over_settings(
    checkout: Path, pipeline: str, stage: str | None, late_hours: int, others: dict[str, str]
) -> None:
    write(checkout, STAGES, pipeline)
    of_app = {"stage": stage} if stage else {}
    context = {f"{pipeline}:memory_mb": "2048", **{f"etl:{name}": value for name, value in of_app.items()}}

    found = configured(context, checkout, pipeline)

    assert found == {"lookback_hours": 24, "late_hours": late_hours, "memory_mb": 2048, **others, **of_app}


def test_a_setting_of_the_app_is_that_of_every_pipeline(checkout: Path) -> None:
    add(checkout, "mine/etl", "mine/orders")
    of_app = {"pipelines": "mine", "stage": "dev", "lambda_platform": "host"}
    context = {f"etl:{name}": value for name, value in of_app.items()}

    assert configured(context, checkout, "orders") == configured(context, checkout) == of_app


@pytest.mark.parametrize("name", OF_APP)
def test_a_setting_of_the_app_has_no_other_place(checkout: Path, name: str) -> None:
    value = {"pipelines": "pipelines", "stage": "dev", "lambda_platform": "host"}[name]

    with pytest.raises(SettingsError, match=f"set etl:{name}, not other:{name}"):
        configured({f"other:{name}": value}, checkout, "other")
    for table in ("settings", "stage.dev"):
        write(checkout, f'[{table}]\n{name} = "{value}"\n', "other")
        with pytest.raises(SettingsError, match=f"pipeline.toml can't set {name}.*`etl:{name}`"):
            configured({}, checkout, "other")


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
        ("deep = " + "[" * 9999, "pipeline.toml can't be read"),
        ("[setting]\n", "got setting"),
        ("settings = 1\n", "the table [settings]"),
        ("[settings]\nlookback_hour = 1\n", "did you mean lookback_hours?"),
        ("[settings]\nlookback_hours = 0\n", "lookback_hours must be"),
        ("stage = 1\n", "the table [settings]"),
        ("[stage]\nlate_hours = 30\n", "tables such as [stage.dev]"),
        ("[stage.dev]\nlate_hours = 0\n", "late_hours must be"),
    ],
)
def test_a_wrong_pipeline_toml_is_refused(checkout: Path, text: str, fact: str) -> None:
    file = checkout / "pipelines/etl/pipeline.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(SettingsError) as refused:
        configured({"etl:stage": "dev"}, checkout)

    assert fact in str(refused.value)


def test_a_refusal_says_how_to_set_the_setting(checkout: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        configured({"etl:late_hours": "0"}, checkout)

    for fact in ("got '0'", "`-c etl:late_hours=VALUE`", "cdk.json", "pipeline.toml", "the default is 26"):
        assert fact in str(refused.value)
    with pytest.raises(SettingsError, match="`-c other:late_hours=VALUE`"):
        configured({"other:late_hours": "0"}, checkout, "other")
    with pytest.raises(SettingsError, match="`-c etl:stage=VALUE`") as refused:
        configured({"etl:stage": "0-"}, checkout, "other")
    assert "pipeline.toml" not in str(refused.value)


def test_a_schedule_that_eventbridge_would_refuse_is_refused(checkout: Path) -> None:
    assert configured({"etl:schedule": "rate(6 hours)"}, checkout) == {"schedule": "rate(6 hours)"}
    with pytest.raises(SettingsError, match=r"^schedule must be rate.*, got 'cron\(60 2 \* \* \? \*\)'.*cdk.json"):
        configured({"etl:schedule": "cron(60 2 * * ? *)"}, checkout)


@pytest.mark.parametrize("folder", ["pipelines/etl", "nothing", "..", "/", "", "\x00", "\ud800", "a" * 10_000])
def test_a_folder_without_the_pipeline_is_refused(checkout: Path, folder: str) -> None:
    add(checkout.parent, "etl")

    with pytest.raises(SettingsError, match=r"^pipelines must be a folder in the checkout .*, got"):
        configured({"etl:pipelines": folder}, checkout)


def test_a_pipeline_s_folder_is_in_the_folder_of_pipelines(checkout: Path) -> None:
    assert pipeline_folder("pipelines", "other", checkout) == checkout / "pipelines/other"


@pytest.mark.parametrize("pipeline", ["nothing", "../../outside"])
def test_a_pipeline_outside_of_its_folder_is_refused(checkout: Path, pipeline: str) -> None:
    add(checkout.parent, "outside")

    with pytest.raises(SettingsError, match="pipelines must be a folder in the checkout"):
        pipeline_folder("pipelines", pipeline, checkout)


def test_a_pipeline_of_settings_alone_lacks_its_transformation(checkout: Path) -> None:
    (checkout / "pipelines/orders").mkdir()
    write(checkout, "", "orders")

    assert pipelines_of({}, checkout) == ["etl", "orders", "other"]
    with pytest.raises(SettingsError, match=r"orders has no transformation.py: write .*pipelines/orders/transform"):
        configured({}, checkout, "orders")


def test_the_pipelines_are_the_folders_with_code_or_settings(checkout: Path) -> None:
    for ignored in ("pipelines/__pycache__", "pipelines/.hidden", "pipelines/Notes"):
        (checkout / ignored).mkdir()
    (checkout / "pipelines/README.md").touch()
    add(checkout, "mine/orders", "pipelines/etl/nested")

    assert pipelines_of({"unrelated": "x"}, checkout) == ["etl", "other"]
    assert pipelines_of({"etl:pipelines": "mine"}, checkout) == ["orders"]
    with pytest.raises(SettingsError, match=r"pipelines must be .*got 'nothing'"):
        pipelines_of({"etl:pipelines": "nothing"}, checkout)


NAMES = [
    "a",
    "etl",
    "orders",
    "order-lines",
    "a1",
    "a-1",
    "a-b-c",
    "a" * 15,
    "aws-orders",
    "sthrees",
    "a23456789012345",
]
NO_NAMES = [
    "",
    "Orders",
    "1a",
    "-a",
    "a-",
    "a--b",
    "a_b",
    "a.b",
    "a b",
    "é",
    "a\n",
    "a/b",
    "..",
    "a" * 16,
    "a" * 10_000,
    "aws",
    "sthree",
    "sthree-orders",
    "amzn-s3-demo",
    "amzn-s3-demo-ab",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_all_resources_can_have_is_allowed(name: str, tmp_path: Path) -> None:
    check_name(name)

    add(tmp_path, f"pipelines/{name}")
    assert pipelines_of({}, tmp_path) == [name]


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_a_resource_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"1 to 15 lower-case letters.*rename its folder") as refused:
        check_name(name)

    assert f"{name[:15]!a}"[:-1] in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("name", ["Orders", "order_lines", "aws", "a" * 16])
def test_a_folder_whose_name_cannot_be_a_pipeline_s_is_refused(checkout: Path, name: str) -> None:
    add(checkout, f"pipelines/{name}")

    with pytest.raises(SettingsError, match=f"Got '{name}'"):
        pipelines_of({}, checkout)


def test_two_pipelines_with_the_same_names_in_a_stage_are_refused(checkout: Path) -> None:
    add(checkout, "pipelines/orders", "pipelines/orders-dev")

    for context in ({}, {"etl:stage": "prod"}):
        assert pipelines_of(context, checkout) == ["etl", "orders", "orders-dev", "other"]
    with pytest.raises(SettingsError, match=r"stage dev the pipeline orders would have the names of .* orders-dev"):
        pipelines_of({"etl:stage": "dev"}, checkout)


@pytest.mark.parametrize("key", ["orders:late_hours", "Etl:late_hours", ":late_hours", "etl-dev:stage"])
def test_a_setting_of_no_pipeline_is_refused_with_those_there_are(checkout: Path, key: str) -> None:
    with pytest.raises(SettingsError) as refused:
        pipelines_of({key: "30"}, checkout)

    assert f"{key} is set" in str(refused.value)
    assert "etl, other" in str(refused.value)


@pytest.mark.parametrize("key", ["@aws-cdk/core:stack", "aws:cdk:bundling-stacks", "x:y", "late_hours"])
def test_a_key_of_somebody_else_is_no_setting(checkout: Path, key: str) -> None:
    assert pipelines_of({key: True}, checkout) == ["etl", "other"]


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


@pytest.mark.parametrize(
    "table", ["[stage.prod]\nlate_hours = 0", "[stage.prod]\nlate = 3", "[stage.PROD-EU]\nlate_hours = 3"]
)
def test_a_mistake_in_the_table_of_another_stage_is_found(checkout: Path, table: str) -> None:
    write(checkout, table)

    with pytest.raises(SettingsError):
        configured({}, checkout)
    with pytest.raises(SettingsError):
        configured({"etl:stage": "dev"}, checkout)


def test_a_hidden_folder_is_no_pipeline(checkout: Path) -> None:
    add(checkout, "pipelines/.draft")

    assert pipelines_of({}, checkout) == ["etl", "other"]
