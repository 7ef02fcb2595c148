"""Pipelines over six existing tables in one environment, from settings alone: runs, and the commands on each."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.instants import format_instant
from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.app import app
from etl_cli.items import local_transformation
from etl_cli.local.environment import LocalEnvironment
from etl_cli.terminal.errors import UserError
from tests.etl_pipeline.values import Item, of_boto3, of_dynamodb_json, read
from tests.pipeline.existing_tables import (
    ASIDE,
    EXCLUDED,
    KINDS,
    LEFT_OUT,
    LOADED,
    OLDER,
    WINDOW,
    Loaded,
    Shop,
    Table,
    Visits,
    Vocabulary,
    Window,
)
from tests.support import ROOT

PIPELINES = [kind.pipeline for kind in KINDS]
FOLDER = "tests/fixtures/six_tables"
# A preview takes the transformation of the checkout.
OF_FOLDER = ("-c", f"etl:pipelines={FOLDER}")
MOST_ITEMS_OF_A_BATCH = 25


@dataclass(frozen=True)
class Account:
    """An environment with a pipeline for each table, which has had a run.

    Attributes:
        tables: the tables, by their pipelines' names.
        outputs: the outputs of each stack, by its name.
        runs: the ids of the runs, by pipeline.
    """

    environment: LocalEnvironment
    tables: dict[str, Table]
    outputs: dict[str, dict[str, str]]
    runs: dict[str, str]

    def destination(self, table: Table) -> Loaded:
        """The items in the destination of a table."""
        name = table.copy or self.outputs[table.names.stack]["DestinationTableName"]
        pages = self.environment.clients().dynamodb.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
        return table.by_key(item for page in pages for item in page["Items"])


@pytest.fixture(scope="module")
def account(make_environment: Callable[[], LocalEnvironment]) -> Account:
    """Make the tables, deploy all pipelines at once, and run all of them at the same time."""
    environment = make_environment()
    environment.start(strict=True)
    tables: dict[str, Table] = {kind.pipeline: kind() for kind in KINDS}
    for table in tables.values():
        make_table(environment, table.name, table.key)
        if table.copy:
            make_table(environment, table.copy, table.copy_key or table.key)
        put(environment, table, table.items)
    outputs = environment.deploy_all([table.names for table in tables.values()], {"etl:pipelines": FOLDER})
    with pytest.MonkeyPatch.context() as shell:
        use(environment, shell)
        started = {
            pipeline: etl(pipeline, "run", *between("--start", "--end", WINDOW), "--no-follow")["execution"]
            for pipeline in tables
        }
    runs = {pipeline: ended(environment, execution) for pipeline, execution in started.items()}
    for table in tables.values():
        table.run(WINDOW)
    return Account(environment, tables, outputs, runs)


@pytest.fixture(params=PIPELINES)
def table(request: pytest.FixtureRequest, account: Account) -> Table:
    """Each of the tables."""
    return account.tables[request.param]


@pytest.fixture
def run(account: Account, table: Table) -> str:
    """The first run of the table's pipeline."""
    return account.runs[table.pipeline]


@pytest.fixture(autouse=True)
def shell(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that uses the environment."""
    use(account.environment, monkeypatch)


def use(environment: LocalEnvironment, shell: pytest.MonkeyPatch) -> None:
    shell.setenv("ETL_LOCAL_DIR", str(environment.state_dir))
    for name, value in environment.variables().items():
        shell.setenv(name, value)


def make_table(environment: LocalEnvironment, name: str, key: dict[str, str]) -> None:
    client: Any = environment.clients().dynamodb
    kinds = zip(key, ("HASH", "RANGE"), strict=False)
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": attribute, "KeyType": kind} for attribute, kind in kinds],
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": type_} for attribute, type_ in key.items()],
        BillingMode="PAY_PER_REQUEST",
    )


def put(environment: LocalEnvironment, table: Table, items: list[Item]) -> None:
    client: Any = environment.clients().dynamodb
    requests = iter([{"PutRequest": {"Item": item}} for item in items])
    while batch := list(islice(requests, MOST_ITEMS_OF_A_BATCH)):
        assert not client.batch_write_item(RequestItems={table.name: batch})["UnprocessedItems"]


def ended(environment: LocalEnvironment, execution: str) -> str:
    """The id of a run that must succeed."""
    deadline, stepfunctions = time.monotonic() + 120, environment.clients().stepfunctions
    while (found := stepfunctions.describe_execution(executionArn=execution))["status"] == RUNNING:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found["status"] == SUCCEEDED, found.get("cause")
    return str(json.loads(found["output"])["run"])


def etl(pipeline: str, *words: str, exits: int = 0) -> Any:
    """The JSON of a command on a pipeline; the words of a key may follow --."""
    end = words.index("--") if "--" in words else len(words)
    done = CliRunner().invoke(app, ["--pipeline", pipeline, *words[:end], "--json", *words[end:]])
    assert done.exit_code == exits, (done.output, done.exception)
    return json.loads(done.stdout)


def between(start: str, end: str, window: Window) -> tuple[str, ...]:
    """The options of a window."""
    return start, format_instant(window.start), end, format_instant(window.end)


def ends_of(items: list[Item]) -> list[Item]:
    """The first and the last item."""
    return [items[0], items[-1]] if items else []


def test_a_run_loads_the_items_of_its_window_as_they_are(account: Account, table: Table, run: str) -> None:
    counts = etl(table.pipeline, "show", run)["counts"]

    assert account.destination(table) == table.loaded
    assert counts["scanned"] == len(table.items)
    assert counts["loaded"] == len(table.of(LOADED)) > 10
    assert counts["rejected_transform"] + counts.get("untimed", 0) == len(table.of(ASIDE)) > 1
    assert counts.get("excluded", 0) == len(table.of(EXCLUDED))


def test_all_pipelines_are_listed_with_their_tables(account: Account) -> None:
    done = CliRunner().invoke(app, ["pipelines", "--json"])

    found = {each["name"]: each for each in json.loads(done.stdout)["pipelines"]}
    assert {name: each["source"] for name, each in found.items()} == {
        pipeline: table.name for pipeline, table in account.tables.items()
    }
    for pipeline, table in account.tables.items():
        assert found[pipeline]["destination"].endswith(table.copy or f"{pipeline}-destination-data")
        assert found[pipeline]["last_run"]["run"] == account.runs[pipeline]


def test_a_report_has_a_balance_that_adds_up(table: Table, run: str) -> None:
    report = etl(table.pipeline, "report", run)

    assert report["balance"]
    assert all(line["holds"] for line in report["balance"])
    assert report["counts"]["read"] == report["counts"]["extracted"]
    sides = [read(report["sample"][side], of_dynamodb_json) for side in ("before", "after")]
    assert sides[0] == sides[1]


def test_an_item_is_explained_by_its_key(table: Table) -> None:
    for fate in (LOADED, ASIDE, LEFT_OUT, EXCLUDED):
        for number, item in enumerate(ends_of(table.of(fate))):
            found = etl(table.pipeline, "explain", "--", *table.words(item, named=number > 0))
            assert (found["outcome"], len(found["made"])) == (fate, int(fate == LOADED)), item
            assert found["destination_is_as_made"] == (fate == LOADED), item


@pytest.mark.parametrize("spelling", ["7", "7.0", "7E0", "0.7e+1"])
def test_a_number_is_one_key_in_every_spelling(spelling: str) -> None:
    found = etl(Visits.pipeline, "explain", spelling)

    assert (found["key"], found["source"]["number"]) == ({"number": {"N": "7"}}, {"N": "7"})


def test_a_preview_makes_the_records_of_the_run(table: Table) -> None:
    item, wrong = table.of(LOADED)[-1], table.of(ASIDE)[0]
    ids = [" ".join(table.words(each, named=True)) for each in (item, wrong)]

    good, bad = etl(table.pipeline, "preview", "--id", ids[0], "--id", ids[1], *OF_FOLDER, exits=3)["items"]
    (made,) = good["records"]
    assert read(made["record"], of_dynamodb_json) == read(item, of_boto3)
    assert made["changes"] == []
    assert (bad["outcome"], bad["records"]) == ("rejected", [])

    sampled = etl(table.pipeline, "preview", *between("--start", "--end", WINDOW), *OF_FOLDER, exits=3)
    counts = sampled["counts"]
    assert counts["records"] == len(table.of(LOADED))
    assert counts["rejected"] + counts["untimed"] == len(table.of(ASIDE))
    assert counts["excluded"] == len(table.of(EXCLUDED))


def test_the_doctor_finds_no_problem(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        local_transformation, "transformation_path", lambda _, pipeline: ROOT / FOLDER / pipeline / "transformation.py"
    )

    found = {each["about"]: each for each in etl(table.pipeline, "doctor")["findings"]}

    assert {each["level"] for each in found.values()} <= {"ok", "warning"}
    assert found["source"]["level"] == found["destination"]["level"] == "ok"
    assert all(f"{name} ({kind})" in found["keys"]["text"] for name, kind in table.key.items())


def test_the_doctor_of_another_checkout_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cdk.json").write_text("{}")
    monkeypatch.setattr(local_transformation, "ROOT", tmp_path)

    findings = etl(Shop.pipeline, "doctor")["findings"]

    (found,) = [each for each in findings if each["about"] == "transformation"]
    assert found["level"] == "warning"
    assert Shop.pipeline in found["text"]
    assert "checkout" in found["remedy"]


def test_corrected_items_are_replayed_by_the_lines_of_explain(account: Account, table: Table, run: str) -> None:
    wrong = table.of(ASIDE)
    (listed,) = etl(table.pipeline, "quarantine", "list", "--run", run)["runs"]
    assert listed["rejected"] + listed["untimed"] == len(wrong)
    preview, replay = etl(table.pipeline, "explain", "--", *table.words(wrong[-1]))["commands"]

    corrected = table.correct()
    put(account.environment, table, corrected)

    assert len(corrected) == len(wrong)
    previewed = CliRunner().invoke(app, [*shlex.split(preview)[1:], *OF_FOLDER, "--json"])
    assert json.loads(previewed.stdout)["counts"]["records"] == 1
    replayed = CliRunner().invoke(app, [*shlex.split(replay)[1:], "--json"])
    assert replayed.exit_code == 0, replayed.output
    assert json.loads(replayed.stdout)["counts"]["loaded"] == len(corrected)
    assert account.destination(table) == table.loaded
    assert etl(table.pipeline, "explain", "--", *table.words(corrected[0]))["outcome"] == LOADED


BACKFILL = ("backfill", "--from", OLDER[0].start.date().isoformat(), "--to", OLDER[-1].end.date().isoformat())


@pytest.mark.parametrize("table", [each for each in PIPELINES if each != Vocabulary.pipeline], indirect=True)
def test_older_windows_are_backfilled(account: Account, table: Table) -> None:
    windows = etl(table.pipeline, *BACKFILL)["windows"]

    assert [each["counts"]["loaded"] for each in windows] == [len(table.of(LOADED, window)) for window in OLDER]
    for window in OLDER:
        table.run(window)
    assert account.destination(table) == table.loaded
    first = next(item for item in table.of(LOADED, OLDER[0]) if table.fate(item, WINDOW) == LEFT_OUT)
    assert etl(table.pipeline, "explain", "--", *table.words(first))["outcome"] == LOADED


def test_without_a_time_one_run_takes_the_place_of_a_backfill(account: Account) -> None:
    table = account.tables[Vocabulary.pipeline]
    refused = CliRunner().invoke(app, ["--pipeline", table.pipeline, *BACKFILL])

    assert isinstance(refused.exception, UserError)
    line = refused.exception.remedy.partition("etl ")[2]
    done = CliRunner().invoke(app, [*shlex.split(line), "--json"])
    assert json.loads(done.stdout)["counts"]["loaded"] == len(table.of(LOADED))
    assert account.destination(table) == table.loaded
