"""The way to a table that the stack didn't make: its region, and the role that reaches it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from etl_cli.aws.deployment import Deployment
from etl_cli.aws.table_way import TableWay, table_client

ARN = "arn:aws:dynamodb:eu-north-1:444455556666:table/orders"
ROLE = "arn:aws:iam::444455556666:role/reader"
SECRET = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}


def client_options(name: str, **variables: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of the client for a source table, and the request for its role."""
    asked: dict[str, Any] = {}
    made: dict[str, Any] = {}

    def assume_role(**request: Any) -> dict[str, Any]:
        asked.update(request)
        return {"Credentials": SECRET}

    def client(service: str, **options: Any) -> Any:
        if service == "dynamodb":
            made.update(options)
        configuration = {"Environment": {"Variables": variables}}
        return SimpleNamespace(assume_role=assume_role, get_function_configuration=lambda **_: configuration)

    nobody = cast(Any, None)
    table_client(Deployment(name, "d", "b", "m", nobody, nobody, nobody, client), "source")
    return made, asked


def test_a_table_of_the_stack_needs_no_options() -> None:
    assert client_options("etl-source-data") == ({}, {})


def test_a_table_is_read_in_its_own_region() -> None:
    assert client_options(ARN, EXISTING_SOURCE=ARN) == ({"region_name": "eu-north-1"}, {})


@pytest.mark.parametrize("external_id", ["", "etl-1"])
def test_a_table_is_read_by_its_role(external_id: str) -> None:
    own = {"SOURCE_ROLE_EXTERNAL_ID": external_id} if external_id else {}
    options, asked = client_options(ARN, SOURCE_ROLE_ARN=ROLE, DESTINATION_ROLE_ARN="another", **own)

    assert options == {
        "region_name": "eu-north-1",
        "aws_access_key_id": "ASIA",
        "aws_secret_access_key": "s",
        "aws_session_token": "t",
    }
    assert (asked["RoleArn"], asked.get("ExternalId", "")) == (ROLE, external_id)


@pytest.mark.parametrize(
    ("variables", "exists"), [({}, False), ({"EXISTING_SOURCE": "orders"}, True), ({"SOURCE_ROLE_ARN": ROLE}, True)]
)
def test_a_table_that_the_stack_did_not_make_is_known(variables: dict[str, str], exists: bool) -> None:
    assert TableWay.of("source", "orders", variables).exists is exists
    assert not TableWay.of("destination", "orders", variables).exists
