"""A pipeline of this checkout before its deployment: `etl preview` takes its settings, and other verbs don't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from etl_cli.app import app
from etl_cli.items import local_transformation
from tests.fakes.aws import FakeAws, RefusalError, stack, stacks
from tests.proposals import spare_pipelines

CODE = """
from typing import TypedDict

from etl.user import Record, Run


class Contract(TypedDict):
    pk: str


def transform(record: Record, run: Run) -> Record:
    return record
"""
SETTINGS = """
[settings]
source_table = "orders-prod"
source_cursor = "changed"
source_cursor_format = "epoch_ms"
destination_keys = "pk:S"
"""
OUTPUTS = {
    "SourceTableName": "s",
    "DestinationTableName": "d",
    "StagingBucketName": "b",
    "StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:shop-pipeline",
}


def described(**_: Any) -> dict[str, Any]:
    key = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]}
    return {"Table": {**key, "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}}


def scanned(**_: Any) -> dict[str, Any]:
    items = [{"pk": {"S": "a"}, "changed": {"N": "1705312800000"}}]
    return {"Items": items, "Count": 1, "ScannedCount": 1}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """An account without a pipeline, but with the table."""
    made = FakeAws(
        {
            "cloudformation.DescribeStacks": stacks(),
            "dynamodb.DescribeTable": described,
            "dynamodb.Scan": scanned,
        }
    )
    monkeypatch.setattr(boto3, "Session", lambda **_: made.session)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    return made


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The pipelines' folder with `orders`, which reads a table that exists, and the specification's."""
    with spare_pipelines(monkeypatch, tmp_path) as made:
        own = made / "orders" / "transformation.py"
        own.parent.mkdir()
        own.write_text(CODE)
        (made / "orders" / "pipeline.toml").write_text(SETTINGS)
        monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: own)
        yield made


def etl(*words: str) -> Result:
    return CliRunner().invoke(app, words)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("others", [[], [stack(OUTPUTS, name="ShopPipelineStack")]])
def test_a_preview_takes_the_settings_of_the_checkout(aws: FakeAws, others: list[dict[str, Any]]) -> None:
    aws.answers["cloudformation.DescribeStacks"] = stacks(*others)

    done = etl("--pipeline", "orders", "preview", "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["counts"]["records"] == 1
    assert set(aws.calls) == {"cloudformation.DescribeStacks", "dynamodb.DescribeTable", "dynamodb.Scan"}


@pytest.mark.usefixtures("folder")
def test_a_preview_needs_no_permission_to_look_for_the_stack(aws: FakeAws) -> None:
    aws.answers["cloudformation.DescribeStacks"] = RefusalError("AccessDenied")

    done = etl("--pipeline", "orders", "preview", "--json")

    assert json.loads(done.stdout)["counts"]["records"] == 1


@pytest.mark.usefixtures("folder", "aws")
@pytest.mark.parametrize(
    "words",
    [
        ("--pipeline", "nothing", "preview"),
        ("--pipeline", "etl", "preview"),  # its source is a table that the stack makes
        ("preview",),
        ("--pipeline", "orders", "preview", "--run", "latest"),
        ("--pipeline", "orders", "run"),
    ],
)
def test_all_else_needs_a_deployment(words: tuple[str, ...]) -> None:
    done = etl(*words)

    assert done.exit_code == 1
    assert "There is no stack" in str(done.exception)


@pytest.mark.usefixtures("aws")
def test_a_wrong_setting_is_named(folder: Path) -> None:
    (folder / "orders" / "pipeline.toml").write_text(SETTINGS + "lookback_hours = 0\n")

    assert "lookback_hours" in str(etl("--pipeline", "orders", "preview").exception)
