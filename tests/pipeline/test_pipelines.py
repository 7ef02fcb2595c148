"""Two pipelines in two stages, in one environment: they share nothing, run at once, and one goes without the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.instants import format_instant
from etl.model.names import ETL, Names
from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.app import app
from etl_cli.local.environment import LocalEnvironment
from etl_cli.terminal.errors import UserError

FOLDER = {"etl:pipelines": "tests/fixtures/several"}
CONTEXT = [word for key, value in FOLDER.items() for word in ("-c", f"{key}={value}")]
DEV = {"etl:stage": "dev"}
ETL_DEV, ORDERS, ORDERS_DEV = ETL._replace(stage="dev"), Names("orders"), Names("orders", "dev")
ALL = (ETL, ETL_DEV, ORDERS, ORDERS_DEV)
SHOP = "shop-orders"
NOW = datetime.now(UTC).replace(microsecond=0)
# By their age in hours: the pipelines read 24, 48 and 72 hours.
ITEMS = {"new": 1, "older": 40, "oldest": 60}


@dataclass(frozen=True)
class Account:
    """An environment with all pipelines; ``outputs`` of each stack."""

    environment: LocalEnvironment
    outputs: dict[str, dict[str, str]]

    def start(self, names: Names) -> str:
        """Start a run; returns the execution's ARN."""
        machine = self.outputs[names.stack]["StateMachineArn"]
        return self.environment.clients().stepfunctions.start_execution(stateMachineArn=machine, input="{}")[
            "executionArn"
        ]

    def run_all(self, pipelines: tuple[Names, ...]) -> None:
        """Run pipelines at the same time."""
        executions = {names.prefix: self.start(names) for names in pipelines}
        ended = {prefix: self.status(arn) for prefix, arn in executions.items()}
        assert ended == dict.fromkeys(executions, SUCCEEDED)

    def status(self, execution: str) -> str:
        """The status with which an execution ended."""
        deadline, stepfunctions = time.monotonic() + 120, self.environment.clients().stepfunctions
        while (status := stepfunctions.describe_execution(executionArn=execution)["status"]) == RUNNING:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return status

    def loaded(self, names: Names) -> dict[str, dict[str, Any]]:
        """The items of a destination by their ids."""
        table = self.outputs[names.stack]["DestinationTableName"]
        found = self.environment.clients().dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
        return {item["id"]["S"]: item for item in found}

    def stacks(self) -> set[str]:
        return {stack.name for stack in self.environment.clients().stacks()} - {"CDKToolkit"}


@pytest.fixture(scope="module")
def account(make_environment: Callable[[], LocalEnvironment]) -> Account:
    environment = make_environment()
    environment.start()
    dynamodb = environment.clients().dynamodb
    dynamodb.create_table(
        TableName=SHOP,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    outputs = environment.deploy_all([ETL, ORDERS], FOLDER) | environment.deploy_all(
        [ETL_DEV, ORDERS_DEV], FOLDER | DEV
    )
    for table in (SHOP, outputs[ETL.stack]["SourceTableName"], outputs[ETL_DEV.stack]["SourceTableName"]):
        for name, hours in ITEMS.items():
            changed = format_instant(NOW - timedelta(hours=hours))
            dynamodb.put_item(TableName=table, Item={"id": {"S": f"{table}-{name}"}, "timestamp": {"S": changed}})
    return Account(environment, outputs)


@pytest.fixture(autouse=True)
def shell(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that uses the environment."""
    monkeypatch.setenv("ETL_LOCAL_DIR", str(account.environment.state_dir))
    for name, value in account.environment.variables().items():
        monkeypatch.setenv(name, value)


def etl(*words: str, exits: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == exits, done.output
    return json.loads(done.stdout) if "--json" in words else done.output


def test_pipelines_and_stages_share_nothing(account: Account) -> None:
    assert account.stacks() == {names.stack for names in ALL}
    account.run_all(ALL)

    expected = {
        ETL: {f"{ETL.source_table}-new"},
        ETL_DEV: {f"{ETL_DEV.source_table}-new"},
        ORDERS: {f"{SHOP}-new", f"{SHOP}-older"},
        ORDERS_DEV: {f"{SHOP}-new", f"{SHOP}-older", f"{SHOP}-oldest"},
    }
    assert {names: set(account.loaded(names)) for names in ALL} == expected
    marks = {names: {item.get("pipeline", {}).get("S") for item in account.loaded(names).values()} for names in ALL}
    assert marks == {ETL: {None}, ETL_DEV: {None}, ORDERS: {"orders"}, ORDERS_DEV: {"orders"}}
    for names in ALL:
        assert namespaces(account, names) == {names.namespace}


def namespaces(account: Account, names: Names) -> set[str]:
    """The namespaces of the metrics in the log of a pipeline's functions."""
    clients = account.environment.clients()
    logs: Any = clients.session.client("logs", **clients.options)
    found = set()
    for function in ("extract", "transform", "load"):
        for event in logs.filter_log_events(logGroupName=names.log_group(function))["events"]:
            if '"_aws"' in event["message"]:
                metrics = json.loads(event["message"])["_aws"]["CloudWatchMetrics"]
                found |= {each["Namespace"] for each in metrics}
    return found


def test_the_command_asks_for_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(app, ["runs"])
    assert isinstance(done.exception, UserError)
    assert all(names.prefix in str(done.exception) for names in ALL)

    (run,) = etl("--pipeline", "orders-dev", "runs", "--json")["runs"]
    assert run["counts"]["loaded"] == 3
    monkeypatch.setenv("ETL_PIPELINE", "orders")
    (run,) = etl("runs", "--json")["runs"]
    assert run["counts"]["loaded"] == 2
    assert run["run"] in etl("show", run["run"])
    assert "--pipeline" not in etl("show", run["run"])  # the shell chooses it for the next lines too
    assert etl("--pipeline", "etl", "runs", "--json")["runs"][0]["counts"]["loaded"] == 1


def test_pipelines_lists_all_with_their_health() -> None:
    found = {each["name"]: each for each in etl("pipelines", "--json")["pipelines"]}

    assert list(found) == sorted(names.prefix for names in ALL)
    assert found["orders-dev"]["stack"] == ORDERS_DEV.stack
    assert (found["orders-dev"]["pipeline"], found["orders-dev"]["stage"]) == ("orders", "dev")
    assert (found["orders"]["source"], found["orders"]["destination"]) == (SHOP, ORDERS.destination_table)
    assert {each["health"] for each in found.values()} == {"ok"}
    assert found["orders"]["last_run"]["counts"]["loaded"] == 2
    text = etl("pipelines")
    assert all(each in text for each in ("orders-dev  ok", SHOP, "2 records loaded", "4 pipelines, all well"))


def test_every_verb_works_on_the_chosen_pipeline() -> None:
    chosen = ("--pipeline", "orders-dev")
    (run,) = etl(*chosen, "runs", "--json")["runs"]

    assert etl(*chosen, "doctor", "--json")["well"]
    assert etl(*chosen, "report", run["run"], "--json")["counts"]["loaded"] == 3
    assert etl(*chosen, "explain", f"{SHOP}-oldest", "--json")
    assert "the last 72 hours" in etl(*chosen, "plan")
    assert etl(*chosen, "logs", "--run", run["run"])
    shown = {each["name"]: each["deployed"] for each in etl(*chosen, "settings", *CONTEXT, "--json")["settings"]}
    assert (shown["stage"], shown["lookback_hours"], shown["source_table"]) == ("dev", 72, SHOP)
    lines = etl(*chosen, "gaps", exits=0)
    assert "etl run" not in lines.replace("--pipeline orders-dev run", "")


def test_one_goes_and_the_others_run_on(account: Account) -> None:
    others = tuple(names for names in ALL if names != ORDERS_DEV)

    etl("--pipeline", "orders-dev", "local", "destroy", *CONTEXT)

    assert account.stacks() == {names.stack for names in others}
    account.run_all(others)
    tables = account.environment.clients().dynamodb.list_tables()["TableNames"]
    assert SHOP in tables
    assert [name for name in tables if name.startswith("orders-dev-")] == []
    assert [each["name"] for each in etl("pipelines", "--json")["pipelines"]] == [names.prefix for names in others]
