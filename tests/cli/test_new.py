"""`etl new`: what it asks for, refuses, shows and leaves as it is."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from etl_cli.app import app
from etl_cli.commands.new import EXIT_CHOICE
from etl_cli.proposal import choices
from tests.fakes.aws import FakeAws, RefusalError
from tests.hostile_texts import HOSTILE
from tests.proposals import failed_tests, spare_pipelines

COMMAND = ("new", "orders", "--source", "orders-prod")
ITEMS: list[Any] = [
    {"id": {"S": f"canary-{n}"}, "updated": {"S": "2026-01-15T10:00:00Z"}, "note": {"S": "canary"}} for n in range(5)
]


def description(name: str = "orders-prod", key: str = "id", **more: Any) -> dict[str, Any]:
    return {
        "Table": {
            "TableName": name,
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "ItemCount": len(ITEMS),
            "TableSizeBytes": 5 * 8_192,
            **more,
        }
    }


class Tables:
    """Tables of an account, whose requests are answered from here."""

    def __init__(self, items: list[Any]) -> None:
        self.described: dict[str, Any] = {"orders-prod": description()}
        self.items = items
        self.scans: list[dict[str, Any]] = []
        self.aws = FakeAws({"dynamodb.DescribeTable": self._describe, "dynamodb.Scan": self._scan})

    def _describe(self, **request: Any) -> dict[str, Any]:
        if request["TableName"] not in self.described:
            raise RefusalError("ResourceNotFoundException")
        found: dict[str, Any] = self.described[request["TableName"]]
        return found

    def _scan(self, **request: Any) -> dict[str, Any]:
        self.scans.append(request)
        own = self.items[request["Segment"] :: request["TotalSegments"]]
        start = int(request.get("ExclusiveStartKey", {"at": {"N": "0"}})["at"]["N"])
        page = own[start : start + request["Limit"]]
        end = start + len(page)
        more = {"LastEvaluatedKey": {"at": {"N": str(end)}}} if end < len(own) else {}
        return {"Items": page, "Count": len(page), "ConsumedCapacity": {"CapacityUnits": 0.5}, **more}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    made = Tables(ITEMS)
    monkeypatch.setattr(boto3, "Session", lambda **_: made.aws.session)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("COLUMNS", "80")
    return made


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder of the pipelines, in the checkout, with the specification's; the home's cdk.json names it."""
    with spare_pipelines(monkeypatch, tmp_path) as made:
        yield made


def etl(*words: str, exits: int = 0, answers: str = "") -> Result:
    done = CliRunner().invoke(app, words, input=answers)
    assert done.exit_code == exits, done.output + str(done.exception)
    return done


def failure(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1, done.output
    return str(done.exception)


def settings(folder: Path, pipeline: str = "orders") -> dict[str, Any]:
    return tomllib.loads((folder / pipeline / "pipeline.toml").read_text())


@pytest.mark.usefixtures("tables")
def test_a_pipeline_is_written_and_explained(folder: Path) -> None:
    shown = etl(*COMMAND).output

    assert {path.name for path in (folder / "orders").iterdir()} == {
        "pipeline.toml",
        "transformation.py",
        "test_transformation.py",
    }
    assert settings(folder)["settings"]["source_table"] == "orders-prod"
    assert shown.index("6 read units") < shown.index("Attribute")  # before the sample, and after it
    for line in ("etl --pipeline orders preview", "cdk deploy OrdersPipelineStack", "--pipeline orders run --start"):
        assert line in shown
    assert "canary" not in shown
    assert "2026-01-15" not in shown
    assert max(map(len, shown.splitlines()[:12])) <= 80


@pytest.mark.usefixtures("tables", "folder")
def test_the_commands_have_the_stage_and_the_profile_of_yours() -> None:
    stage = ("-c", "etl:stage=dev")
    preview, deploy, run = json.loads(etl(*COMMAND, *stage, "--region", "eu-west-1", "--json").stdout)["next"]

    assert "--pipeline orders-dev preview --region eu-west-1" in preview
    assert deploy == "cdk deploy OrdersPipelineStack -c etl:stage=dev"
    assert "--pipeline orders-dev run" in run


@pytest.mark.usefixtures("tables", "folder")
def test_json_has_the_same_facts() -> None:
    document = json.loads(etl(*COMMAND, "--json").stdout)

    assert document["cursor"]["attribute"] == "updated"
    assert document["source"] == {
        "name": "orders-prod",
        "key": "id:S",
        "items": 5,
        "size_bytes": 5 * 8_192,
        "provisioned_read_units": 0,
    }
    assert {tuple(each["path"]): each["looks_like"] for each in document["attributes"]} == {
        ("id",): ["key"],
        ("updated",): ["cursor"],
        ("note",): [],
    }
    assert set(document["costs"]) == {"first", "nightly"}
    assert len(document["next"]) == 3


def test_only_two_permissions_are_used(tables: Tables, folder: Path) -> None:
    etl(*COMMAND)

    assert set(tables.aws.calls) == {"dynamodb.DescribeTable", "dynamodb.Scan"}
    assert (folder / "orders").is_dir()


def test_the_sample_is_spread_over_segments_and_bounded(tables: Tables, folder: Path) -> None:
    tables.items = [{"id": {"S": f"{n}"}} for n in range(1_000)]
    tables.described["orders-prod"] = description(ItemCount=1_000)

    document = json.loads(etl(*COMMAND, "--sample", "100", "--json").stdout)

    assert (document["sample"]["items"], document["sample"]["whole"]) == (100, False)
    assert {scan["Segment"] for scan in tables.scans} == set(range(8))
    assert sum(scan["Limit"] for scan in tables.scans) <= 104
    assert (folder / "orders").is_dir()


@pytest.mark.parametrize("action", ["DescribeTable", "Scan"])
def test_a_missing_permission_is_named(tables: Tables, folder: Path, action: str) -> None:
    text = f"User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:{action} on resource: y"
    tables.aws.answers[f"dynamodb.{action}"] = lambda **_: (_ for _ in ()).throw(
        RefusalError("AccessDeniedException", text)
    )

    assert f"dynamodb:{action}" in failure(*COMMAND)
    assert not (folder / "orders").exists()


@pytest.mark.usefixtures("tables", "folder")
def test_a_table_that_does_not_exist_is_named() -> None:
    assert "nowhere" in failure("new", "orders", "--source", "nowhere")
    assert "nowhere" in failure(*COMMAND, "--destination", "nowhere")
    assert "two tables" in failure(*COMMAND, "--destination", "orders-prod")


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link"])
def test_what_exists_is_left_as_it_is(tables: Tables, folder: Path, kind: str) -> None:
    place = folder / "orders"
    if kind.endswith("folder"):
        place.mkdir()
        (place / "mine").write_text("mine") if kind == "folder" else None
    elif kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to("nowhere")

    assert "orders exists" in failure(*COMMAND)
    assert tables.aws.calls == []
    assert sorted(path.name for path in folder.iterdir()) == ["etl", "orders"]


@pytest.mark.parametrize("name", ["Orders", "../orders", "a--b", "x" * 16, "", "aws", "a/b", "etl\n", ".hidden"])
def test_a_name_that_no_pipeline_can_have_is_refused(tables: Tables, folder: Path, name: str) -> None:
    assert "name" in failure("new", name, "--source", "orders-prod")
    assert [path.name for path in folder.iterdir()] == ["etl"]
    assert tables.aws.calls == []


@pytest.mark.parametrize(
    ("attributes", "option"),
    [
        ({"modified": {"S": "2026-01-15T10:00:00Z"}}, "--cursor modified"),
        ({"id": "ORDER#", "other": "USER#"}, "--entity ORDER"),
    ],
)
def test_without_a_terminal_a_choice_is_an_option(
    tables: Tables, folder: Path, attributes: dict[str, Any], option: str
) -> None:
    more = attributes if "modified" in attributes else {}
    tables.items = [{**item, **more} for item in ITEMS]
    if not more:
        tables.items = [{**item, "id": {"S": ("ORDER#", "USER#")[n % 2] + str(n)}} for n, item in enumerate(ITEMS)]

    done = CliRunner().invoke(app, COMMAND)

    assert done.exit_code == EXIT_CHOICE
    assert option in done.output
    assert not (folder / "orders").exists()


def test_on_a_terminal_it_asks(tables: Tables, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "can_ask", lambda: True)
    time = {"S": "2026-01-15T10:00:00Z"}
    tables.items = [
        {"id": {"S": ("ORDER#", "USER#")[n % 2] + str(n)}, "updated": time, "modified": time} for n in range(6)
    ]

    etl(*COMMAND, answers="9\n1\n2\n")

    written = settings(folder)["settings"]
    assert written["source_filter"]["values"] == {":type": "ORDER#"}
    assert written["source_cursor"] == "updated"


def test_a_sample_of_a_provisioned_table_needs_your_consent(tables: Tables, folder: Path) -> None:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    tables.described["orders-prod"] = description(
        BillingModeSummary={}, ProvisionedThroughput=throughput, TableSizeBytes=10**7
    )

    done = CliRunner().invoke(app, COMMAND)
    assert (done.exit_code, tables.scans) == (EXIT_CHOICE, [])
    assert "--yes" in done.output

    etl(*COMMAND, "--yes")
    assert settings(folder)["settings"]["source_read_units_per_second"] == 1


def test_hostile_names_and_values_reach_no_terminal(tables: Tables, folder: Path) -> None:
    names = [name for name in HOSTILE.values() if 0 < len(name.encode()) <= 255]
    tables.items = [{"id": {"S": text}, **{name: {"S": text} for name in names}} for text in HOSTILE.values()]

    shown = etl(*COMMAND).output

    assert shown.replace("\n", "").isprintable()
    assert failed_tests(folder / "orders") == ""


@pytest.mark.usefixtures("tables")
def test_a_copy_reads_another_table_and_keeps_the_rest(folder: Path) -> None:
    text = (
        'schedule = "rate(1 hour)"  # often\n[stage.dev]\nsource_table = "dev"\nlookback_hours = 3\n'
        '[settings.source_filter]\nexpression = "a = :a"\nvalues = { ":a" = "x" }\n'
    )
    (folder / "etl" / "pipeline.toml").write_text(f'[settings]\nsource_table = "old"\nsource_role_arn = "arn"\n{text}')

    shown = etl(*COMMAND, "--from", "etl").output

    written = settings(folder)
    assert written["settings"]["source_table"] == "orders-prod"
    assert written["settings"]["schedule"] == "rate(1 hour)"
    assert "source_role_arn" not in written["settings"]
    assert written["stage"] == {"dev": {"lookback_hours": 3}}
    assert written["settings"]["source_filter"]["values"] == {":a": "x"}
    assert "# often" in (folder / "orders" / "pipeline.toml").read_text()
    code = (folder / "etl" / "transformation.py").read_text()
    assert (folder / "orders" / "transformation.py").read_text() == code
    assert "--pipeline orders preview" in shown


@pytest.mark.usefixtures("tables")
def test_a_pipeline_that_does_not_exist_cannot_be_copied(folder: Path) -> None:
    assert "nothing" in failure(*COMMAND, "--from", "nothing")
    assert "name" in failure(*COMMAND, "--from", "../etl")
    assert [path.name for path in folder.iterdir()] == ["etl"]
