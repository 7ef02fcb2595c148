"""Reads consume units by the size of their items, and a table is as large as its items, as on AWS.

When a test of `uncorrected` fails, upstream behaves as AWS does: take the correction out.
"""

from __future__ import annotations

from typing import Any

import pytest

from etl_cli.local.clients import Clients

TABLE = "sizes"
KB = 1024
# Sizes of the items a, b, c: with id, text and these names, by "DynamoDB item sizes and formats".
SIZES = {"a": 1_500, "b": 6 * KB, "c": 300_000}
ALL = sum(SIZES.values())


@pytest.fixture(scope="module")
def corrected(corrected: Clients) -> Clients:
    fill(corrected)
    return corrected


@pytest.fixture(scope="module")
def uncorrected(uncorrected: Clients) -> Clients:
    fill(uncorrected)
    return uncorrected


def fill(clients: Clients) -> None:
    client(clients).create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for name, size in SIZES.items():
        put(clients, name, size)


def client(clients: Clients) -> Any:
    return clients.session.client("dynamodb", **clients.options)


def put(clients: Clients, name: str, size: int) -> None:
    text = "x" * (size - len("id") - len(name) - len("text"))
    client(clients).put_item(TableName=TABLE, Item=key(name) | {"text": {"S": text}})


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def units(clients: Clients, operation: str, **request: Any) -> float:
    consumed = getattr(client(clients), operation)(ReturnConsumedCapacity="TOTAL", **request)["ConsumedCapacity"]
    found: float = (consumed[0] if isinstance(consumed, list) else consumed)["CapacityUnits"]
    return found


def table_bytes(clients: Clients) -> int:
    found: int = client(clients).describe_table(TableName=TABLE)["Table"]["TableSizeBytes"]
    return found


@pytest.mark.parametrize(
    ("operation", "request_", "expected"),
    [
        ("scan", {}, -(-ALL // 4096) / 2),
        ("scan", {"ConsistentRead": True}, -(-ALL // 4096)),
        # The filter comes after the read, and the projection too.
        ("scan", {"FilterExpression": "attribute_not_exists(id)"}, -(-ALL // 4096) / 2),
        ("scan", {"ProjectionExpression": "id"}, -(-ALL // 4096) / 2),
        ("query", {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": "b"}}}, 1.0),
        ("get_item", {"Key": key("a")}, 0.5),
        ("get_item", {"Key": key("b")}, 1.0),
        ("get_item", {"Key": key("b"), "ProjectionExpression": "id", "ConsistentRead": True}, 2.0),
        ("get_item", {"Key": key("none"), "ConsistentRead": True}, 1.0),
    ],
)
def test_a_read_consumes_by_4_kb_of_what_it_evaluates(
    corrected: Clients, operation: str, request_: dict[str, Any], expected: float
) -> None:
    assert units(corrected, operation, TableName=TABLE, **request_) == expected


@pytest.mark.parametrize(("consistent", "expected"), [(False, 2.0), (True, 4.0)])
def test_a_batch_rounds_each_item(corrected: Clients, consistent: bool, expected: float) -> None:
    wanted = {TABLE: {"Keys": [key("a"), key("b"), key("none")], "ConsistentRead": consistent}}

    assert units(corrected, "batch_get_item", RequestItems=wanted) == expected


def test_a_transactional_read_consumes_twice(corrected: Clients) -> None:
    gets = [{"Get": {"TableName": TABLE, "Key": key(name)}} for name in ("a", "b")]

    assert units(corrected, "transact_get_items", TransactItems=gets) == 2 * (1 + 2)


def test_pages_end_where_they_did(corrected: Clients, uncorrected: Clients) -> None:
    request = {"TableName": TABLE, "Limit": 2}
    pages = [client(each).scan(**request) for each in (corrected, uncorrected)]

    assert pages[0]["LastEvaluatedKey"] == pages[1]["LastEvaluatedKey"]
    assert [each["id"] for each in pages[0]["Items"]] == [each["id"] for each in pages[1]["Items"]]


def test_a_table_is_as_large_as_its_items(corrected: Clients) -> None:
    assert table_bytes(corrected) == ALL
    put(corrected, "d", 2_000)
    put(corrected, "d", 3_000)
    assert table_bytes(corrected) == ALL + 3_000
    client(corrected).delete_item(TableName=TABLE, Key=key("d"))
    client(corrected).delete_item(TableName=TABLE, Key=key("d"))
    assert table_bytes(corrected) == ALL


def test_uncorrected_reads_consume_the_same_whatever_they_read(uncorrected: Clients) -> None:
    assert units(uncorrected, "scan", TableName=TABLE) == 0.5
    assert "ConsumedCapacity" not in client(uncorrected).batch_get_item(
        RequestItems={TABLE: {"Keys": [key("a")]}}, ReturnConsumedCapacity="TOTAL"
    )


def test_uncorrected_table_has_200_bytes_an_item(uncorrected: Clients) -> None:
    assert table_bytes(uncorrected) == 200 * len(SIZES)
