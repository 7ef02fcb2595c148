"""A filter of a Scan is refused as DynamoDB refuses it, and picks what DynamoDB's picks.

When a test of `uncorrected` fails, upstream behaves as AWS does: take the correction out.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etl.model.schema import Schema
from etl.model.source_filter import parse_filter
from etl.tables.change_time import bounds
from etl.tables.selection import check_length, selection
from etl_cli.local.clients import Clients
from tests.fakes.filter_expression import matches

TABLE = "filtered"
RUN = bounds("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", "2024-01-16T02:00:00Z")
REFUSAL = "ValidationException: Invalid FilterExpression: "
REFUSED = [
    ("begins_with(sk :p)", "Syntax error"),
    ("sk = :p AND", "Syntax error"),
    ("sk LIKE :p", "Syntax error"),
    ("begins_with(size, :p) OR status = :p", "Attribute name is a reserved keyword; reserved keyword: "),
]


@pytest.fixture(scope="module")
def corrected(corrected: Clients) -> Clients:
    make_table(corrected)
    return corrected


@pytest.fixture(scope="module")
def uncorrected(uncorrected: Clients) -> Clients:
    make_table(uncorrected)
    return uncorrected


def client(clients: Clients) -> Any:
    return clients.session.client("dynamodb", **clients.options)


def make_table(clients: Clients) -> None:
    client(clients).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "sk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "sk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def schema(expression: str, **values: Any) -> Schema:
    text = json.dumps({"expression": expression, "values": {f":{name}": value for name, value in values.items()}})
    return Schema(filter=parse_filter(text))


def refusal(clients: Clients, picked: dict[str, Any]) -> str:
    try:
        client(clients).scan(TableName=TABLE, Limit=1, **picked)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""


@pytest.mark.parametrize(("expression", "fact"), REFUSED)
def test_a_wrong_filter_is_refused_on_an_empty_table(corrected: Clients, expression: str, fact: str) -> None:
    said = refusal(corrected, selection(schema(expression, p="ORDER#"), RUN))

    assert said.startswith(REFUSAL + fact)


@pytest.mark.parametrize(
    "expression", ["begins_with(sk, :p)", "(begins_with(sk, :p))", "(sk = :p) OR (sk > :p AND contains(sk, :p))"]
)
def test_a_right_filter_is_accepted_beside_that_of_the_window(corrected: Clients, expression: str) -> None:
    assert refusal(corrected, selection(schema(expression, p="ORDER#"), RUN)) == ""


@pytest.mark.parametrize("count", [60, 120])
def test_a_filter_that_is_too_long_is_refused_here_and_there(corrected: Clients, count: int) -> None:
    picked = selection(schema(" OR ".join(["a = b"] * count)), RUN)

    try:
        check_length(picked)
        expected = ""
    except ValueError:
        expected = REFUSAL

    assert refusal(corrected, picked)[: len(REFUSAL)] == expected


def test_the_filter_picks_the_items_that_the_tests_pick(corrected: Clients) -> None:
    items = [
        {"sk": {"S": f"{kind}#{n}"}, "timestamp": {"S": f"2024-01-{day}T10:00:00Z"}, "amount": {"N": str(n)}}
        for n, (kind, day) in enumerate((kind, day) for kind in ("ORDER", "USER") for day in (14, 15))
    ]
    for item in items:
        client(corrected).put_item(TableName=TABLE, Item=item)
    for expression in (
        "begins_with(sk, :p)",
        "amount BETWEEN :one AND :two AND NOT sk = :p",
        "amount IN (:one, :two) OR sk = :p",
    ):
        values: dict[str, Any] = {"p": "ORDER#", "one": 1, "two": 3}
        used = {name: value for name, value in values.items() if f":{name}" in expression}
        picked = selection(schema(expression, **used), RUN)

        found = client(corrected).scan(TableName=TABLE, **picked)["Items"]

        assert sorted(each["sk"]["S"] for each in found) == sorted(
            each["sk"]["S"] for each in items if matches(picked)(each)
        )


def test_uncorrected_accepts_a_wrong_filter_of_an_empty_table(uncorrected: Clients) -> None:
    assert {refusal(uncorrected, selection(schema(each, p="ORDER#"), RUN)) for each, _ in REFUSED} == {""}
