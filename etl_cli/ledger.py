"""Reads the run ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_cli.coverage import Run, Span, Watermark
from etl_cli.deployment import STACK_NAME
from etl_cli.errors import UserError
from etl_cli.wording import parse_instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The name is fixed; what is in it is described in runtime/etl/ledger.py.
TABLE = "etl-run-ledger"


def read_ledger(dynamodb: DynamoDBClient) -> tuple[list[Run], Watermark | None]:
    """All runs that the ledger has, and the watermark; None before the first scheduled run.

    Raises:
        UserError: there is no ledger.
    """
    pages = dynamodb.get_paginator("query").paginate(
        TableName=TABLE,
        KeyConditionExpression="#kind = :run",
        ProjectionExpression="#status, #start, #end",
        ExpressionAttributeNames={
            "#kind": "kind",
            "#status": "status",
            "#start": "window_start",
            "#end": "window_end",
        },
        ExpressionAttributeValues={":run": {"S": "run"}},
        ConsistentRead=True,
    )
    try:
        runs = [_run(item) for page in pages for item in page["Items"]]
    except dynamodb.exceptions.ResourceNotFoundException:
        raise UserError(f"There is no table {TABLE}.", f"Deploy the stack: cdk deploy {STACK_NAME}") from None
    key = {"kind": {"S": "watermark"}, "id": {"S": "watermark"}}
    found = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")
    return runs, Watermark(*_instants(found, "since", "end")) if found else None


def _run(item: Any) -> Run:
    # A run that failed at its very start has no window.
    window = Span(*_instants(item, "window_start", "window_end")) if "window_start" in item else None
    return Run(item["status"]["S"], window)


def _instants(item: Any, *names: str) -> Any:
    return (parse_instant(item[name]["S"]) for name in names)
