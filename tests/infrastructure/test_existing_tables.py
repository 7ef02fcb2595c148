"""Tables that exist already: the stack names them, and neither makes nor changes them; its roles use them alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl.model.setting import SettingsError
from serverless_app.settings import PipelineSettings
from tests.infrastructure.iam import policies_of
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized, synthesize
from tests.infrastructure.test_permissions import STAGES, role_of_function

OTHER = "444455556666"
SOURCE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders"
DESTINATION = f"arn:aws:dynamodb:us-east-1:{OTHER}:table/archive.v2"
SOURCE_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DESTINATION_KEY = f"arn:aws:kms:us-east-1:{OTHER}:key/mrk-1234abcd12ab34cd56ef1234567890ab"
SOURCE_ROLE = f"arn:aws:iam::{OTHER}:role/team/reader"
DESTINATION_ROLE = f"arn:aws:iam::{OTHER}:role/writer"
TABLES = ("etl-source-data", "etl-destination-data", "etl-run-ledger")
THROTTLED = {"etl-pipeline-source-throttled", "etl-pipeline-destination-throttled"}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The source by its name, the destination by its ARN in another region, each with a key."""
    settings = PipelineSettings(
        source_table="orders",
        source_kms_key_arn=SOURCE_KEY,
        destination_table=DESTINATION,
        destination_kms_key_arn=DESTINATION_KEY,
    )
    return synthesize(tmp_path_factory.mktemp("named") / "cdk.out", settings=settings)


@pytest.fixture(scope="module")
def assumed(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """Both tables in another account, the source by its name."""
    settings = PipelineSettings(
        source_table="orders",
        source_role_arn=SOURCE_ROLE,
        source_role_external_id="secret:1",
        destination_table=DESTINATION,
        destination_role_arn=DESTINATION_ROLE,
    )
    return synthesize(tmp_path_factory.mktemp("assumed") / "cdk.out", settings=settings)


@pytest.fixture(scope="module")
def source_only(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The source exists, and the stack makes the destination."""
    settings = PipelineSettings(source_table="orders", removal_policy="retain")
    return synthesize(tmp_path_factory.mktemp("source") / "cdk.out", settings=settings)


def granted(stack: Synthesized, stage: str) -> set[tuple[str, str]]:
    """Permissions of a function on tables, keys and roles: the action, and the resource with its condition."""
    found = set()
    for statement in policies_of(stack, role_of_function(stack, f"etl-{stage}")).statements:
        assert statement["Effect"] == "Allow"
        actions, resources = (
            [each] if isinstance(each, str) else each for each in (statement["Action"], statement["Resource"])
        )
        condition: Any = statement.get("Condition")
        for action in actions:
            if action.startswith(("dynamodb:", "kms:", "sts:")):
                if condition:
                    assert list(condition) == ["StringEquals"]
                found |= {
                    (action, f"{each}{json.dumps(condition['StringEquals']) if condition else ''}")
                    for each in resources
                }
    return found


def on(resource: str, *actions: str) -> set[tuple[str, str]]:
    return {(action, resource) for action in actions}


def via(key: str, region: str) -> str:
    return f'{key}{{"kms:ViaService": "dynamodb.{region}.amazonaws.com"}}'


LEDGER = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/etl-run-ledger"
READ = ("dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem")
PLANNED = on(LEDGER, "dynamodb:GetItem", "dynamodb:PutItem")
LOADED = on(LEDGER, "dynamodb:UpdateItem")


def test_the_roles_use_exactly_the_named_tables_and_keys(named: Synthesized) -> None:
    assert granted(named, "extract") == (
        PLANNED
        | on(SOURCE, *READ)
        | on(via(SOURCE_KEY, REGION), "kms:Decrypt")
        | on(DESTINATION, "dynamodb:DescribeTable")
    )
    assert granted(named, "transform") == set()
    assert granted(named, "load") == (
        LOADED | on(DESTINATION, "dynamodb:BatchWriteItem") | on(via(DESTINATION_KEY, "us-east-1"), "kms:Decrypt")
    )


def test_the_roles_assume_exactly_the_named_roles(assumed: Synthesized) -> None:
    assert granted(assumed, "extract") == PLANNED | on(SOURCE_ROLE, "sts:AssumeRole") | on(
        DESTINATION_ROLE, "sts:AssumeRole"
    )
    assert granted(assumed, "transform") == set()
    assert granted(assumed, "load") == LOADED | on(DESTINATION_ROLE, "sts:AssumeRole")


def test_a_destination_that_the_stack_makes_is_not_described(source_only: Synthesized) -> None:
    made = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/etl-destination-data"

    assert granted(source_only, "extract") == PLANNED | on(SOURCE, *READ)
    assert granted(source_only, "load") == LOADED | on(made, "dynamodb:BatchWriteItem")
    assert "EXISTING_DESTINATION" not in source_only.environment("etl-extract")


@pytest.mark.parametrize(
    ("name", "made"), [("named", TABLES[2:]), ("assumed", TABLES[2:]), ("source_only", TABLES[1:])]
)
def test_the_template_has_no_existing_table(request: pytest.FixtureRequest, name: str, made: tuple[str, ...]) -> None:
    stack: Synthesized = request.getfixturevalue(name)

    tables = [each["Properties"]["TableName"] for each in stack.of_type("AWS::DynamoDB::Table").values()]

    assert sorted(tables) == sorted(made)
    # It isn't tagged, and no custom resource or policy of another type names it.
    others = {kind for kind in (each["Type"] for each in stack.template["Resources"].values()) if "DynamoDB" in kind}
    assert others == {"AWS::DynamoDB::Table"}


@pytest.mark.parametrize("name", ["named", "assumed", "source_only"])
def test_no_finding_is_left_open_and_no_star_is_granted(request: pytest.FixtureRequest, name: str) -> None:
    stack: Synthesized = request.getfixturevalue(name)

    assert (stack.nag["conclusion"], stack.nag["violations"]) == ("success", [])
    for stage in STAGES:
        assert not [each for each in granted(stack, stage) if "*" in "".join(each)]


def test_functions_and_outputs_name_the_tables(named: Synthesized, assumed: Synthesized) -> None:
    # A name with a role is a table of the role's account.
    source = f"arn:aws:dynamodb:{REGION}:{OTHER}:table/orders"
    for stack, read in ((named, "orders"), (assumed, source)):
        outputs = {name: stack.resolve(each["Value"]) for name, each in stack.template["Outputs"].items()}
        assert (outputs["SourceTableName"], outputs["DestinationTableName"]) == (read, DESTINATION)
        extract, load = stack.environment("etl-extract"), stack.environment("etl-load")
        assert (extract["SOURCE_TABLE"], extract["EXISTING_SOURCE"]) == (read, read)
        assert load["DESTINATION_TABLE"] == load["EXISTING_DESTINATION"] == extract["EXISTING_DESTINATION"]
        assert load["STORES"].split()[1:3] == [read, DESTINATION]
    roles = {"SOURCE_ROLE_ARN": SOURCE_ROLE, "SOURCE_ROLE_EXTERNAL_ID": "secret:1"}
    assert assumed.environment("etl-extract").items() >= (roles | {"DESTINATION_ROLE_ARN": DESTINATION_ROLE}).items()
    assert assumed.environment("etl-load")["DESTINATION_ROLE_ARN"] == DESTINATION_ROLE
    assert not roles.keys() & assumed.environment("etl-load").keys()


def test_a_table_of_another_account_has_neither_alarm_nor_graph(named: Synthesized, assumed: Synthesized) -> None:
    def shown(stack: Synthesized) -> set[str]:
        return {
            each["Properties"]["AlarmName"] for each in stack.of_type("AWS::CloudWatch::Alarm").values()
        } & THROTTLED

    def board(stack: Synthesized) -> str:
        [dashboard] = stack.of_type("AWS::CloudWatch::Dashboard").values()
        return str(stack.resolve(dashboard["Properties"]["DashboardBody"]))

    assert shown(named) == THROTTLED
    assert shown(assumed) == set()
    assert '"orders"' in board(named)
    assert '"orders"' not in board(assumed)
    assert "etl-run-ledger" in board(assumed)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source_table": "ab"}, "source_table must be the name of a table that exists, or its ARN, got 'ab'"),
        ({"source_table": SOURCE.replace("dynamodb", "s3")}, "source_table must be"),
        ({"source_table": f"{SOURCE}/index/by-name"}, "source_table must be"),
        ({"source_table": "orders", "source_kms_key_arn": "alias/mine"}, "source_kms_key_arn must be"),
        ({"source_table": "orders", "source_kms_key_arn": SOURCE_KEY.replace("key/", "alias/")}, "not an alias"),
        ({"source_table": "orders", "source_role_arn": SOURCE_ROLE.replace("role/", "user/")}, "the ARN of a role"),
        ({"destination_table": "out", "destination_role_external_id": "id"}, "destination_role_arn: set both"),
        ({"source_role_arn": SOURCE_ROLE}, "without source_table the stack makes its own"),
        ({"destination_kms_key_arn": DESTINATION_KEY}, "without destination_table the stack makes its own"),
        (
            {"source_table": "orders", "source_role_arn": SOURCE_ROLE, "source_kms_key_arn": SOURCE_KEY},
            "since the role uses the key",
        ),
        ({"source_table": SOURCE, "source_role_arn": SOURCE_ROLE}, "must be in the account of"),
        ({"destination_table": DESTINATION, "destination_kms_key_arn": SOURCE_KEY}, "must be in the region of"),
        (
            {"source_table": SOURCE, "source_kms_key_arn": SOURCE_KEY.replace("aws", "aws-cn", 1)},
            "must be in the partition of",
        ),
        ({"source_table": "etl-destination-data"}, "must not have the name of a table that the stack itself makes"),
        ({"destination_table": f"{SOURCE[:-6]}etl-run-ledger"}, "must not have the name of a table"),
        ({"source_table": "orders", "destination_table": "orders"}, "must be two tables"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        PipelineSettings(**settings)  # type: ignore[arg-type]

    assert message in str(refused.value)


@pytest.mark.parametrize("account", [ACCOUNT, OTHER])
def test_a_table_known_to_be_elsewhere_is_not_measured(account: str) -> None:
    from aws_cdk import App, Environment, Stack

    from serverless_app.constructs.tables import existing_table

    stack = Stack(App(), "Stack", env=Environment(account=account, region=REGION))
    existing = PipelineSettings(source_table=SOURCE).source

    assert existing_table(stack, "Table", existing).is_measured is (account == ACCOUNT)


def test_a_key_in_china_is_used_by_either_name_of_dynamodb() -> None:
    from serverless_app.constructs.tables import _dynamodb_of

    name = "dynamodb.cn-north-1.amazonaws.com"

    assert _dynamodb_of(f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/k") == [name, f"{name}.cn"]
    assert _dynamodb_of(f"arn:aws-us-gov:kms:us-gov-west-1:{ACCOUNT}:key/k") == "dynamodb.us-gov-west-1.amazonaws.com"
