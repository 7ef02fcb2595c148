"""The settings of the stack, and the table of them in README.md."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from etl.model.names import ETL
from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS
from serverless_app.constructs.storage import Storage
from serverless_app.settings import CHECKOUT, PipelineSettings
from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        PipelineSettings().concurrency = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"), [("concurrency", 0), ("concurrency", "24"), ("pipelines", "serverless_app")]
)
def test_a_wrong_argument_is_refused_with_what_to_do(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as refused:
        PipelineSettings(**{name: value})  # type: ignore[arg-type]

    assert re.match(rf"{name} must be .*, got {value!a}\. Set it with `-c etl:{name}=VALUE`", str(refused.value))


@pytest.mark.parametrize(("concurrency", "distributed"), [(1, False), (40, False), (41, True), (1000, True)])
def test_more_workers_than_an_inline_map_runs_take_distributed(concurrency: int, distributed: bool) -> None:
    assert PipelineSettings(concurrency=concurrency).distributed == distributed


def test_the_stack_reads_its_settings_from_the_context(tmp_path: Path) -> None:
    context = {"etl:lookback_hours": "48", "etl:schedule_enabled": False, "unrelated": "x"}
    app = App(outdir=str(tmp_path), context={**context, "aws:cdk:bundling-stacks": []})

    stack = EtlPipelineStack(app, "EtlPipelineStack")

    assert stack.settings == PipelineSettings(lookback_hours=48, schedule_enabled=False)


def test_a_filter_that_is_too_long_beside_that_of_the_window_is_refused() -> None:
    long = json.dumps({"expression": " OR ".join(["attribute_exists(a)"] * 75)})

    assert PipelineSettings(source_filter=long, source_cursor_format="epoch_s").source_filter == long
    with pytest.raises(SettingsError, match=r"source_filter.*4,096 and 300"):
        PipelineSettings(source_filter=long)


@pytest.mark.parametrize(
    ("keys", "schema", "types"),
    [
        ("pk:S,sk:N", [("pk", "HASH"), ("sk", "RANGE")], {"pk": "S", "sk": "N"}),
        (r"#a\,b .c:B", [("#a,b .c", "HASH")], {"#a,b .c": "B"}),
    ],
)
def test_the_destination_has_the_keys_of_the_settings(
    keys: str, schema: list[tuple[str, str]], types: dict[str, str]
) -> None:
    stack = Stack(App())
    Storage.make(stack, PipelineSettings(destination_keys=keys))

    tables = Template.from_stack(stack).find_resources(
        "AWS::DynamoDB::Table", {"Properties": {"TableName": ETL.destination_table}}
    )
    (table,) = tables.values()
    found = table["Properties"]
    assert [(each["AttributeName"], each["KeyType"]) for each in found["KeySchema"]] == schema
    assert {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]} == types


def test_log_retentions_are_those_that_cdk_knows() -> None:
    from aws_cdk.aws_logs import RetentionDays

    allowed = SETTINGS["log_retention_days"].allowed.removeprefix("one of ").split(", ")

    assert len(allowed) == len({each.name for each in RetentionDays} - {"INFINITE"})


def test_the_readme_lists_every_setting() -> None:
    # The local environment alone sets the platform of the packages.
    public = [setting for setting in SETTINGS.values() if setting.name != "lambda_platform"]
    table = [
        f"| `{setting.name}` | {'none' if setting.default is None else f'`{setting.text(setting.default)}`'} | "
        f"{setting.sentence} |"
        for setting in public
    ]

    shown = re.findall(rf"^\| `(?:{'|'.join(SETTINGS)})` \|.*$", (CHECKOUT / "README.md").read_text(), re.MULTILINE)

    assert shown == table, "\n".join(table)
