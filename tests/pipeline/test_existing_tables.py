"""Tables that exist before the stack: it uses them by exactly its grants, and leaves them when it is destroyed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.errors import Reason, reason_of
from etl_cli.app import app
from etl_cli.items import local_transformation
from etl_cli.local.environment import LocalEnvironment
from etl_cli.terminal.errors import UserError
from tests.pipeline.execution import Execution, Window
from tests.pipeline.ledger import Ledger
from tests.pipeline.pipeline import Pipeline
from tests.pipeline.test_permissions import Grant, RolePolicy
from tests.support import PIPELINE, PROXIED, ROOT, Deployed, SharedAssemblies

SOURCE, DESTINATION = "orders", "orders-archive"
ACCOUNT, REGION = "000000000000", "us-east-1"
EXTERNAL_ID = "etl:7"
READ = ("dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem")
# Plan needs these before anything else; the others are needed by the stage after it, or by a replay.
OF_PLAN = {"dynamodb:DescribeTable", "dynamodb:Scan", "kms:Decrypt"}


@dataclass(frozen=True)
class Existing:
    """An environment with two tables, each under a key of its own."""

    environment: LocalEnvironment
    keys: dict[str, str]

    def tables(self) -> dict[str, Any]:
        """Everything about the tables that the stack might change."""
        dynamodb = self.environment.clients().dynamodb
        found: dict[str, Any] = {}
        for name in (SOURCE, DESTINATION):
            table: Any = dynamodb.describe_table(TableName=name)["Table"]
            stable = {key: each for key, each in table.items() if key not in ("ItemCount", "TableSizeBytes")}
            tags = dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
            items = dynamodb.scan(TableName=name, ConsistentRead=True)["Items"]
            found[name] = (stable, tags, sorted(items, key=lambda item: item["id"]["S"]))
        return found


def make_table(environment: LocalEnvironment, name: str, *key: tuple[str, str]) -> str:
    """Make a table under a new key in KMS; returns the key's ARN."""
    clients = environment.clients()
    kms: Any = clients.session.client("kms", **clients.options)
    arn = str(kms.create_key(Description=name)["KeyMetadata"]["Arn"])
    clients.dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": attribute, "KeyType": kind}  # type: ignore[typeddict-item]
            for (attribute, _), kind in zip(key, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": kind} for each, kind in key],  # type: ignore[typeddict-item]
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": arn},
        Tags=[{"Key": "owner", "Value": "shop"}],
    )
    return arn


@pytest.fixture(scope="module")
def existing(make_environment: Callable[[], LocalEnvironment]) -> Existing:
    environment = make_environment()
    environment.start(strict=True, settings=PROXIED)
    keys = {
        SOURCE: make_table(environment, SOURCE, ("id", "S"), ("value", "N")),
        DESTINATION: make_table(environment, DESTINATION, ("timestamp", "S"), ("id", "S")),
    }
    return Existing(environment, keys)


@pytest.fixture(scope="module")
def named(existing: Existing, assemblies: SharedAssemblies) -> Iterator[Deployed]:
    """The pipeline over these tables, by its functions' own roles."""
    context = {
        "etl:source_table": SOURCE,
        "etl:source_kms_key_arn": existing.keys[SOURCE],
        "etl:destination_table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{DESTINATION}",
        "etl:destination_kms_key_arn": existing.keys[DESTINATION],
    }
    before = existing.tables()
    outputs = assemblies.deploy(existing.environment, context)
    made = Deployed(existing.environment, existing.environment.clients(), outputs)
    assert existing.tables() == before
    with closing(made.relays):
        yield made


def filled(deployed: Deployed, token: str, window: Window) -> Pipeline:
    """The pipeline with 40 items in its source, one of which Transform rejects."""
    pipeline = Pipeline(deployed, token)
    pipeline.put([pipeline.item(str(n), window.at(n), value={"N": f"{n - 1}.0"}) for n in range(40)])
    return pipeline


def refused(pipeline: Pipeline, given: Any, *reasons: Reason) -> Execution:
    """Start a run that must fail because an owner refused something."""
    for stage in ("extract", "load"):
        pipeline.kill(f"etl-{stage}")  # a warm function has the credentials of its role for an hour
    execution = pipeline.fail(given)
    assert execution.error == "ConfigurationError", execution.message
    assert reason_of(execution.error, execution.message) in reasons, execution.message
    return execution


def of_tables(deployed: Deployed, stage: str) -> list[Grant]:
    """The grants of a function's role on tables, keys and roles, other than those on the ledger."""
    grants = RolePolicy(deployed, stage).grants()
    return [
        each
        for each in grants
        if each.action.startswith(("dynamodb:", "kms:", "sts:")) and not each.resource.endswith("etl-run-ledger")
    ]


def test_a_run_from_settings_alone(named: Deployed, window: Window) -> None:
    pipeline = filled(named, "run-", window)

    execution = pipeline.run(window.input)

    assert (execution.counts["loaded"], execution.counts["rejected_transform"]) == (39, 1)
    items = pipeline.clients.dynamodb.scan(TableName=DESTINATION, ConsistentRead=True)["Items"]
    assert {item["id"]["S"] for item in items} >= {f"run-{n}" for n in range(1, 40)}


def test_the_functions_may_use_these_tables_and_keys_alone(named: Deployed, existing: Existing) -> None:
    source, destination = (each.rpartition(":")[2] for each in (existing.keys[SOURCE], existing.keys[DESTINATION]))

    assert sorted(of_tables(named, "extract")) == sorted(
        [
            *(Grant("extract", action, f"table/{SOURCE}") for action in READ),
            Grant("extract", "dynamodb:DescribeTable", f"table/{DESTINATION}"),
            Grant("extract", "kms:Decrypt", source),
        ]
    )
    assert of_tables(named, "transform") == []
    assert sorted(of_tables(named, "load")) == [
        Grant("load", "dynamodb:BatchWriteItem", f"table/{DESTINATION}"),
        Grant("load", "kms:Decrypt", destination),
    ]


def test_a_run_fails_without_any_one_grant(named: Deployed, window: Window) -> None:
    pipeline = filled(named, "grant-", window)
    replayed = pipeline.run(window.input).run

    for grant in [*of_tables(named, "extract"), *of_tables(named, "load")]:
        given = {"replay": replayed} if grant.action == "dynamodb:BatchGetItem" else window.input
        reason = Reason.KEY_DENIED if grant.action == "kms:Decrypt" else Reason.TABLE_DENIED
        with RolePolicy(named, grant.stage).without(grant):
            execution = refused(pipeline, given, reason)
        if grant.stage == "extract" and grant.action in OF_PLAN:
            assert "Extract" not in execution.entered(), f"Plan did not find that {grant} is missing"
            assert "window_start" not in Ledger(pipeline).entry(execution.arn)
    pipeline.run(window.input)


def test_a_table_that_is_not_there_is_named(named: Deployed, window: Window) -> None:
    pipeline = Pipeline(named, "missing-")
    role = named.clients.lambda_.get_function_configuration(FunctionName="etl-extract")["Role"].rpartition("/")[2]
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:DescribeTable",
        "Resource": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/nowhere",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    named.clients.iam.put_role_policy(RoleName=role, PolicyName="nowhere", PolicyDocument=document)
    try:
        with pipeline.configured("etl-extract", EXISTING_DESTINATION="nowhere"):
            execution = refused(pipeline, window.input, Reason.TABLE_NOT_FOUND)
    finally:
        named.clients.iam.delete_role_policy(RoleName=role, PolicyName="nowhere")

    assert "nowhere" in execution.message
    assert "destination_table" in execution.message


@pytest.fixture(scope="module")
def assumed(named: Deployed, existing: Existing, assemblies: SharedAssemblies) -> Deployed:
    """The same pipeline, which now reaches the tables by roles. They are of this account: it has no other."""
    iam = named.clients.iam
    trust = trusting(EXTERNAL_ID)
    for name, actions, tables, key in (
        ("reader", READ, [SOURCE], existing.keys[SOURCE]),
        ("writer", ("dynamodb:DescribeTable", "dynamodb:BatchWriteItem"), [DESTINATION], existing.keys[DESTINATION]),
    ):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        arns = [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}" for table in tables]
        statements = [
            {"Effect": "Allow", "Action": list(actions), "Resource": arns},
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="table", PolicyDocument=document)
    context = {
        "etl:source_table": SOURCE,
        "etl:source_role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader",
        "etl:source_role_external_id": EXTERNAL_ID,
        "etl:destination_table": DESTINATION,
        "etl:destination_role_arn": f"arn:aws:iam::{ACCOUNT}:role/writer",
        "etl:destination_role_external_id": EXTERNAL_ID,
    }
    outputs = assemblies.deploy(existing.environment, context)
    return Deployed(existing.environment, existing.environment.clients(), outputs)


def trusting(external_id: str) -> str:
    """A trust policy for this account's principals that know an external id."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_run_by_roles_needs_them_and_their_trust(assumed: Deployed, window: Window) -> None:
    pipeline = filled(assumed, "roles-", window)
    assert pipeline.run(window.input).counts["loaded"] == 39
    grants = [*of_tables(assumed, "extract"), *of_tables(assumed, "load")]
    assert sorted(grants) == [
        Grant("extract", "sts:AssumeRole", "role/reader"),
        Grant("extract", "sts:AssumeRole", "role/writer"),
        Grant("load", "sts:AssumeRole", "role/writer"),
    ]

    for grant in grants:
        with RolePolicy(assumed, grant.stage).without(grant):
            execution = refused(pipeline, window.input, Reason.ROLE_DENIED)
        assert grant.resource in execution.message
    iam = assumed.clients.iam
    iam.update_assume_role_policy(RoleName="writer", PolicyDocument=trusting("another"))
    try:
        execution = refused(pipeline, window.input, Reason.ROLE_DENIED)
    finally:
        iam.update_assume_role_policy(RoleName="writer", PolicyDocument=trusting(EXTERNAL_ID))
    assert "Extract" not in execution.entered()
    pipeline.run(window.input)


def test_the_command_reaches_the_tables_by_the_roles(
    assumed: Deployed, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = filled(assumed, "typed-", window)
    pipeline.run(window.input)
    iam = assumed.clients.iam
    for name, value in assumed.environment.variables().items():
        monkeypatch.setenv(name, value)
    deployed = ROOT / PIPELINE / "transformation.py"
    monkeypatch.setattr(local_transformation, "transformation_path", lambda *_: deployed)

    def etl(*words: str, exits: int = 0) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == exits, (done.output, done.exception)
        return json.loads(done.stdout)

    def judged() -> dict[str, str]:
        """The levels of doctor's findings; runs of other tests may have failed."""
        done = CliRunner().invoke(app, ["doctor", "--json"])
        return {each["about"]: each["level"] for each in json.loads(done.stdout)["findings"]}

    whole = ("--start", window.input["start"], "--end", window.input["end"])
    assert etl("preview", *whole, exits=3)["counts"]["items"] == 40
    assert etl("plan")["tables"]["source"]["key"] == [{"name": "id", "type": "S"}, {"name": "value", "type": "N"}]
    denied = CliRunner().invoke(app, ["explain", "typed-5", "4"])
    assert "dynamodb:GetItem" in str(denied.exception)
    for role, table in (("reader", SOURCE), ("writer", DESTINATION)):
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
        statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="look", PolicyDocument=document)
    assert etl("explain", "typed-5", "4")["outcome"] == "loaded"
    assert etl("explain", "id=typed-0", "value=-1")["outcome"] == "quarantined"
    assert [item["outcome"] for item in etl("preview", "--id", "id=typed-5 value=4")["items"]] == ["transformed"]
    found = judged()
    assert (found["source"], found["destination"], found["keys"]) == ("ok", "ok", "ok")

    iam.update_assume_role_policy(RoleName="writer", PolicyDocument=trusting("another"))
    try:
        refused_by_role = CliRunner().invoke(app, ["explain", "typed-5", "4"])
        level = judged()["destination"]
    finally:
        iam.update_assume_role_policy(RoleName="writer", PolicyDocument=trusting(EXTERNAL_ID))
    assert isinstance(refused_by_role.exception, UserError)
    assert "sts:AssumeRole" in str(refused_by_role.exception)
    assert level == "warning"


@pytest.mark.usefixtures("assumed")
def test_destroying_the_stack_leaves_the_tables_alone(existing: Existing) -> None:
    before = existing.tables()
    assert before[DESTINATION][2]

    existing.environment.destroy()

    assert existing.tables() == before
    assert "etl-run-ledger" not in existing.environment.clients().dynamodb.list_tables()["TableNames"]
