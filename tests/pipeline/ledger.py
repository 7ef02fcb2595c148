"""The run ledger's table, as the tests of the deployed pipeline look at it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from etl.model import ledger_fields as fields
from etl.model.names import ETL
from tests.pipeline.execution import text
from tests.pipeline.pipeline import Pipeline


class Ledger:
    """The ledger's table, as its tests look at it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._dynamodb = pipeline.clients.dynamodb

    def entry(self, arn: str) -> dict[str, Any]:
        """The entry of an execution as plain values; empty if there is none."""
        key = fields.run_key(arn)
        return _plain(self._dynamodb.get_item(TableName=ETL.ledger_table, Key=key, ConsistentRead=True).get("Item", {}))

    def forget(self, arn: str) -> None:
        """Remove an execution's entry."""
        self._dynamodb.delete_item(TableName=ETL.ledger_table, Key=fields.run_key(arn))

    def watermark(self) -> str | None:
        """Where the watermark is; None if there is none."""
        found = self._dynamodb.get_item(TableName=ETL.ledger_table, Key=fields.WATERMARK_KEY, ConsistentRead=True).get(
            "Item", {}
        )
        return found[fields.END]["S"] if found else None

    def begin(self, end: datetime | None) -> None:
        """Put the watermark somewhere, or away."""
        if end is None:
            self._dynamodb.delete_item(TableName=ETL.ledger_table, Key=fields.WATERMARK_KEY)
        else:
            instant = {"S": text(end)}
            self._dynamodb.put_item(
                TableName=ETL.ledger_table, Item={**fields.WATERMARK_KEY, fields.SINCE: instant, fields.END: instant}
            )


def _plain(item: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in item.items():
        ((kind, content),) = value.items()
        plain[name] = _plain(content) if kind == "M" else int(content) if kind == "N" else content
    return plain
