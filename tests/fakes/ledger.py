"""The run ledger's table in memory: the few operations that the ledger uses, with conditions and transactions."""
# ruff: noqa: N803 - the names of arguments are those of AWS

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from etl.model import ledger_fields as fields
from tests.fakes.faults import Faults, client_error
from tests.fakes.filter_expression import matches

Item = dict[str, Any]


class FakeLedgerTable:
    """Items by ``kind`` and ``id``.

    Attributes:
        items: the items.
        conflicts: how many transactions are yet to be cancelled because of another one.
    """

    def __init__(self, faults: Faults | None = None, table: str = "ledger") -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.conflicts = 0
        self.faults = faults or Faults()
        self._table = table

    def entries(self) -> list[dict[str, Any]]:
        """The runs' entries as plain values, in the order of their names."""
        return [_plain(item) for (kind, _), item in sorted(self.items.items()) if kind == fields.OF_RUN]

    def entry(self, name: str) -> dict[str, Any]:
        """The entry of the execution with this name."""
        return _plain(self.items[fields.OF_RUN, name])

    @property
    def watermark(self) -> str | None:
        """Where the watermark is; None when there is none."""
        item = self.items.get(_key(fields.WATERMARK_KEY))
        return item[fields.END]["S"] if item else None

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:
        with self.faults.call("GetItem"):
            self._check(TableName)
            assert ConsistentRead
            item = self.items.get(_key(Key))
            return {"Item": dict(item)} if item else {}

    def put_item(self, *, TableName: str, Item: Item, **condition: Any) -> dict[str, Any]:
        with self.faults.call("PutItem"):
            self._check(TableName)
            if not self._holds(_key(Item), condition):
                raise client_error("ConditionalCheckFailedException", operation="PutItem")
            self.items[_key(Item)] = dict(Item)
            return {}

    def update_item(self, **update: Any) -> dict[str, Any]:
        with self.faults.call("UpdateItem"):
            if not self._holds(_key(update["Key"]), update):
                raise client_error("ConditionalCheckFailedException", operation="UpdateItem")
            self._update(**update)
            return {}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:
        with self.faults.call("TransactWriteItems"):
            updates = [each["Update"] for each in TransactItems]
            reasons = ["None" if self._holds(_key(each["Key"]), each) else "ConditionalCheckFailed" for each in updates]
            if self.conflicts:
                self.conflicts -= 1
                reasons[-1] = "TransactionConflict"
            if set(reasons) != {"None"}:
                raise _cancelled(reasons)
            for update in updates:
                self._update(**update)
            return {}

    def _update(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ExpressionAttributeValues: Item,
        ConditionExpression: str = "",
    ) -> None:
        self._check(TableName)
        used = f"{UpdateExpression} {ConditionExpression}"
        assert {*ExpressionAttributeNames, *ExpressionAttributeValues} == set(re.findall(r"[#:]\w+", used))
        item = self.items.setdefault(_key(Key), dict(Key))
        steps, _, removed = UpdateExpression.removeprefix("SET ").partition(" REMOVE ")
        for step in steps.split(", "):
            name, value = step.split(" = ")
            item[ExpressionAttributeNames[name]] = ExpressionAttributeValues[value]
        for name in removed.split(", ") if removed else ():
            item.pop(ExpressionAttributeNames[name], None)

    def _holds(self, key: tuple[str, str], request: Mapping[str, Any]) -> bool:
        condition = request.get("ConditionExpression")
        if not condition:
            return True
        used = set(re.findall(r"[#:]\w+", condition))
        test = matches(
            {
                "FilterExpression": condition,
                "ExpressionAttributeNames": _picked(request["ExpressionAttributeNames"], used),
                "ExpressionAttributeValues": _picked(request.get("ExpressionAttributeValues", {}), used),
            }
        )
        return test(self.items.get(key, {}))

    def _check(self, table: str) -> None:
        if table != self._table:
            raise client_error("ResourceNotFoundException", message="Requested resource not found")


def _key(item: Item) -> tuple[str, str]:
    return item[fields.KIND]["S"], item[fields.ID]["S"]


def _picked(values: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}


def _plain(item: Item) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in item.items():
        ((kind, content),) = value.items()
        plain[name] = _plain(content) if kind == "M" else int(content) if kind == "N" else content
    return plain


def _cancelled(reasons: list[str]) -> ClientError:
    error = client_error("TransactionCanceledException", operation="TransactWriteItems")
    error.response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return error
