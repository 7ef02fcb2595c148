"""The way to a table in another account or region: its client, and the credentials of its role."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session

from etl.aws import clients as aws
from etl.aws.access import Reached, reach
from etl.aws.clients import dynamodb_client, explained, sts_creator
from etl.handler import run_action
from etl.model.errors import ConfigurationError, Reason, reason_of
from etl.model.run import Run
from etl.model.schema import SPECIFIED
from etl.model.table_access import TableAccess
from etl.plan import plan
from etl.tables.batch_writer import open_batch_writer
from etl.tables.signature import Signer
from etl.tables.source import ExistingTable, SourceTable, described
from tests.fakes.dynamodb import FakeDynamoDB
from tests.fakes.pipeline import ENVIRONMENT, Context
from tests.fakes.s3 import FakeS3
from tests.unit.builders import ledger, source, staging
from tests.unit.http_server import Answer, Endpoint, endpoint
from tests.unit.test_aws import DENIED, LAST, TAKEN, THROTTLED, settings
from tests.unit.test_extract import EXECUTION, SETTINGS

TABLE = "arn:aws:dynamodb:ap-south-1:444455556666:table/orders"
ROLE = "arn:aws:iam::444455556666:role/reader"
XML = {"Content-Type": "text/xml"}
LIVES = timedelta(hours=1)
# botocore renews credentials that end within 15 minutes, and within 10 it must (RefreshableCredentials).
ENDS = timedelta(minutes=5)
REFUSED = Answer(
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message>"
    b"</Error></ErrorResponse>",
    status=403,
    headers=XML,
)
DESCRIPTION: dict[str, Any] = {
    "TableStatus": "ACTIVE",
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "at", "AttributeType": "N"},
        {"AttributeName": "pk", "AttributeType": "S"},
    ],
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch)


def assumed(number: int, lives: timedelta) -> Answer:
    """STS's answer: the credentials of a session."""
    end = (datetime.now(UTC) + lives).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = (
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        f"<SessionToken>token{number}</SessionToken><Expiration>{end}</Expiration></Credentials>"
        f"<AssumedRoleUser><Arn>{ROLE.replace('iam', 'sts')}/x</Arn><AssumedRoleId>A:x</AssumedRoleId>"
        "</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    )
    return Answer(body.encode(), headers=XML)


@contextmanager
def reached(
    monkeypatch: pytest.MonkeyPatch, sts: list[Answer], dynamodb: list[Answer], external_id: str | None = None
) -> Iterator[tuple[Reached, Endpoint, Endpoint]]:
    """The way to a table by a role."""
    with endpoint(*sts) as tokens, endpoint(*dynamodb) as tables:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", tokens.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables.url)
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "etl-extract")
        yield reach(TableAccess(TABLE, ROLE, external_id), dynamodb_client()), tokens, tables


def signed_with(server: Endpoint) -> list[tuple[str, str | None]]:
    """The access key and the session's token of each request."""
    found = []
    for headers, _ in server.requests:
        lower = {name.lower(): value for name, value in headers.items()}
        key = lower["authorization"].partition("Credential=")[2].partition("/")[0]
        found.append((key, lower.get("x-amz-security-token")))
    return found


def test_a_table_here_has_the_functions_own_client() -> None:
    own, session = dynamodb_client(), get_session()

    assert reach(TableAccess("orders"), own, session) == Reached(session, own)
    assert reach(TableAccess(TABLE.replace("ap-south-1", "eu-central-1")), own, session) == Reached(session, own)


def test_a_table_elsewhere_has_a_client_of_its_region() -> None:
    found = reach(TableAccess(TABLE), dynamodb_client())

    assert found.client.meta.region_name == "ap-south-1"
    assert found.session is None


@pytest.mark.parametrize("external_id", ["secret:1", None])
def test_requests_are_signed_with_the_roles_credentials(
    monkeypatch: pytest.MonkeyPatch, external_id: str | None
) -> None:
    with reached(monkeypatch, [assumed(1, LIVES)], [LAST], external_id) as (found, tokens, tables):
        found.client.scan(TableName=TABLE)
        found.client.scan(TableName=TABLE)

    asked = {name: values[0] for name, values in parse_qs(tokens.requests[0][1].decode()).items()}
    given = {"ExternalId": external_id} if external_id else {}
    assert (
        asked.items() >= ({"Action": "AssumeRole", "RoleArn": ROLE, "RoleSessionName": "etl-extract"} | given).items()
    )
    assert ("ExternalId" in asked) == bool(external_id)
    assert signed_with(tokens) == [("AKIDEXAMPLE", None)]
    assert signed_with(tables) == [("ASIA1", "token1")] * 2
    assert "/ap-south-1/dynamodb/" in tables.requests[0][0]["Authorization"]


def test_credentials_are_renewed_in_the_middle_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    # botocore looks at the credentials more than once for a request.
    sts = [*(assumed(number, ENDS) for number in range(1, 9)), assumed(9, LIVES)]
    with reached(monkeypatch, sts, [LAST]) as (found, tokens, tables):
        for _ in range(12):
            found.client.scan(TableName=TABLE)

    keys = [key for key, _ in signed_with(tables)]
    assert signed_with(tables) == [(key, key.replace("ASIA", "token")) for key in keys]
    assert keys == sorted(keys)
    assert keys[0] < keys[1] < keys[2]
    assert keys[-2:] == ["ASIA9"] * 2
    assert len(tokens.requests) == 9


def test_loads_own_signature_has_the_renewed_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with reached(monkeypatch, [assumed(1, ENDS), assumed(2, LIVES)], [TAKEN]) as (found, _, _tables):
        assert found.session
        credentials: Any = found.session.get_credentials()
        signer = Signer("https://a.b", "ap-south-1", credentials)
        heads = [signer.head(b"").decode() for _ in range(3)]

    for number, head in zip((1, 2, 2), heads, strict=True):
        assert f"Credential=ASIA{number}/" in head
        assert f"x-amz-security-token: token{number}\r\n" in head


def test_load_writes_with_the_roles_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    async def write(found: Reached) -> None:
        assert found.session
        async with open_batch_writer(found.session, found.client) as writer:
            await writer.batch_write_item(b"{}")

    with reached(monkeypatch, [assumed(1, LIVES)], [TAKEN]) as (found, _, tables):
        asyncio.run(write(found))

    assert signed_with(tables) == [("ASIA1", "token1")]


def test_a_role_that_refuses_says_whom_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    with reached(monkeypatch, [REFUSED], [LAST]) as (found, _, tables), pytest.raises(ClientError) as refused:
        found.client.scan(TableName=TABLE)

    error = explained(refused.value, [TABLE], existing=True)
    assert type(error) is ConfigurationError
    assert reason_of("ConfigurationError", str(error)) is Reason.ROLE_DENIED
    assert "trust policy" in str(error)
    assert tables.requests == []


def test_a_failure_of_sts_is_bridged(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Answer(b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>", 500, headers=XML)
    with reached(monkeypatch, [busy, assumed(1, LIVES)], [LAST]) as (found, tokens, tables):
        found.client.scan(TableName=TABLE)

    assert len(tokens.requests) == 2
    assert signed_with(tables) == [("ASIA1", "token1")]


def test_sts_of_the_own_region_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    assert sts_creator(get_session())("sts").meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"


def refused(code: str, message: str, operation: str = "Scan") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


KMS = "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: The ciphertext refers to"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused("ResourceNotFoundException", "Requested resource not found"), Reason.TABLE_NOT_FOUND),
        (refused("ResourceNotFoundException", "no", "DescribeTable"), Reason.TABLE_NOT_FOUND),
        (refused("AccessDeniedException", "User: x is not authorized to perform"), Reason.TABLE_DENIED),
        (refused("AccessDeniedException", "no", "BatchWriteItem"), Reason.TABLE_DENIED),
        (refused("AccessDeniedException", KMS), Reason.KEY_DENIED),
        (refused("AccessDeniedException", KMS, "BatchWriteItem"), Reason.KEY_DENIED),
        # The ledger and the bucket are always the stack's own.
        (refused("ResourceNotFoundException", "no", "UpdateItem"), Reason.NOT_FOUND),
        (refused("AccessDeniedException", "no", "PutItem"), Reason.ACCESS_DENIED),
        (refused("AccessDenied", "no", "PutObject"), Reason.ACCESS_DENIED),
    ],
)
def test_a_refusal_of_an_existing_table_has_a_remedy_of_its_own(error: ClientError, reason: Reason) -> None:
    told = explained(error, ["orders"], existing=True)

    assert type(told) is ConfigurationError
    assert reason_of("ConfigurationError", str(told)) is reason


def test_a_refusal_of_the_stacks_own_table_has_the_old_remedy() -> None:
    for code, reason in (
        ("AccessDeniedException", Reason.ACCESS_DENIED),
        ("ResourceNotFoundException", Reason.NOT_FOUND),
    ):
        assert reason_of("ConfigurationError", str(explained(refused(code, "no")))) is reason


def description(**changed: Any) -> Answer:
    return Answer(json.dumps({"Table": DESCRIPTION | changed}).encode())


def client_of(monkeypatch: pytest.MonkeyPatch, server: Endpoint) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    return dynamodb_client()


def test_the_key_of_an_existing_destination_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(description()) as server:
        key = ExistingTable(client_of(monkeypatch, server), TABLE).key()

    assert [(each.name, each.type) for each in key] == [("pk", "S"), ("at", "N")]
    assert json.loads(server.requests[0][1]) == {"TableName": TABLE}


@pytest.mark.parametrize(
    ("changed", "reason", "named"),
    [
        ({"TableStatus": "CREATING"}, Reason.TABLE_UNUSABLE, "CREATING"),
        ({"TableStatus": "ARCHIVED"}, Reason.TABLE_UNUSABLE, "ARCHIVED"),
        (
            {
                "TableStatus": "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
                "SSEDescription": {"KMSMasterKeyArn": "arn:aws:kms:eu-west-1:1:key/k"},
            },
            Reason.KEY_DENIED,
            "arn:aws:kms:eu-west-1:1:key/k",
        ),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], reason: Reason, named: str
) -> None:
    with endpoint(description(**changed)) as server, pytest.raises(ConfigurationError, match=named) as error:
        described(client_of(monkeypatch, server), "orders")

    assert reason_of("ConfigurationError", str(error.value)) is reason


def test_a_table_that_changes_its_capacity_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(description(TableStatus="UPDATING")) as server:
        assert len(described(client_of(monkeypatch, server), "orders").key) == 2


def test_plan_reads_one_item_of_an_existing_source(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(LAST, THROTTLED, DENIED) as server:
        table = SourceTable(client_of(monkeypatch, server), TABLE)
        table.try_to_read()
        table.try_to_read()  # throttled, and so permitted
        with pytest.raises(ClientError, match="AccessDenied"):
            table.try_to_read()

    assert json.loads(server.requests[0][1])["Limit"] == 1


@pytest.mark.parametrize("answered", [TABLE, "orders"])
def test_an_answer_may_name_the_table_either_way(monkeypatch: pytest.MonkeyPatch, answered: str) -> None:
    item = {"pk": {"S": "a"}, "at": {"N": "1.0"}}
    body = json.dumps({"Responses": {answered: [item]}, "UnprocessedKeys": {}}).encode()
    with endpoint(description(), Answer(body)) as server:
        table = SourceTable(client_of(monkeypatch, server), TABLE)
        found, _ = table.items(table.describe().key, [("a", "1")])

    assert list(found) == [("a", "1")]


def test_the_default_client_stays_as_it_was() -> None:
    aws._default_session.cache_clear()

    assert dynamodb_client().meta.region_name == "eu-central-1"


class Refusing:
    """A destination that may not be described."""

    def describe_table(self, **_: Any) -> Any:
        raise refused("AccessDeniedException", "no", "DescribeTable")


def plan_of(existing: ExistingTable | None, s3: FakeS3, dynamodb: FakeDynamoDB) -> Run:
    run: Run = plan({}, EXECUTION, SETTINGS, source(dynamodb), staging(s3), ledger(dynamodb), destination=existing)[
        "run"
    ]
    return run


def test_plan_fixes_the_key_of_an_existing_destination(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(description()) as server:
        run = plan_of(ExistingTable(client_of(monkeypatch, server), TABLE), FakeS3(), FakeDynamoDB())

    assert run.schema.destination_names == ("pk", "at")
    assert plan_of(None, FakeS3(), FakeDynamoDB()).schema == SPECIFIED


def test_plan_asks_both_tables_before_it_writes_anything() -> None:
    s3, dynamodb = FakeS3(), FakeDynamoDB()
    table: Any = Refusing()

    with pytest.raises(ClientError, match="AccessDenied"):
        plan_of(ExistingTable(table, TABLE), s3, dynamodb)

    assert not s3.objects
    assert not dynamodb.ledger.items


class Watched(SourceTable):
    """A source that says whether an item was read from it."""

    tried = False

    def try_to_read(self) -> None:
        self.tried = True


@pytest.mark.parametrize("existing", [None, "source"])
def test_plan_reads_from_a_source_that_exists(existing: str | None) -> None:
    dynamodb: Any = FakeDynamoDB()
    watched = Watched(dynamodb, "source")

    plan({}, EXECUTION, replace(SETTINGS, existing_source=existing), watched, staging(FakeS3()), ledger(dynamodb))

    assert watched.tried == bool(existing)


@pytest.mark.parametrize(("existing", "reason"), [(True, Reason.TABLE_DENIED), (False, Reason.ACCESS_DENIED)])
def test_a_function_knows_whose_table_refused_it(
    monkeypatch: pytest.MonkeyPatch, existing: bool, reason: Reason
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    if existing:
        monkeypatch.setenv("EXISTING_DESTINATION", TABLE)

    def refuse(*_: Any) -> Any:
        raise refused("AccessDeniedException", "no", "BatchWriteItem")

    with pytest.raises(ConfigurationError) as told:
        run_action({"action": "load"}, Context(), {"load": refuse})

    assert reason_of("ConfigurationError", str(told.value)) is reason
    assert (TABLE in str(told.value)) == existing
