"""A DynamoDB client in memory: Scan by segments and pages, BatchWriteItem with refused and unprocessed items."""
# ruff: noqa: N803 - the names of arguments are those of AWS

import json
import threading
from base64 import b64decode
from collections.abc import Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, InvalidOperation
from typing import Any
from zlib import crc32

from etl.model.keys import KeyAttributes
from etl.model.schema import SPECIFIED
from tests.fakes.faults import Faults, client_error
from tests.fakes.filter_expression import matches
from tests.fakes.ledger import FakeLedgerTable

Item = dict[str, dict[str, Any]]
# Wide enough to tell how wide a number is.
_EXACT = Context(prec=10_000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation])
_MOST_DEPTH = 32
_OK = {"HTTPStatusCode": 200, "RequestId": "request"}


class FakeDynamoDB:
    """Tables by name, each a list of items in DynamoDB JSON in no particular order.

    Attributes:
        tables: items by table; the destination's are replaced by key.
        keys: the keys of the tables.
        page_items: items that one page of a Scan reads at most.
        most_item_bytes: size of an item above which it is refused.
        raw: whether answers come as bytes, as from the hooked client, or parsed, as from botocore without hooks.
        ledger: the run ledger's table.
        requests: the records of every BatchWriteItem, in their order.
        script: for the next BatchWriteItems, the error to raise or the number of last items to leave undone.
        undone_keys: how many of their last keys the next BatchGetItems leave undone.
    """

    def __init__(self, faults: Faults | None = None, *, page_items: int = 1000, raw: bool = True) -> None:
        self.tables: dict[str, list[Item]] = {"source": [], "destination": []}
        self.keys = {"source": SPECIFIED.source, "destination": SPECIFIED.destination}
        self.page_items = page_items
        self.raw = raw
        self.size_bytes: int | None = 0
        self.most_item_bytes = 400 * 1024
        self.requests: list[list[Item]] = []
        self.scans: list[dict[str, Any]] = []
        self.script: list[BaseException | int] = []
        self.undone_keys: list[int] = []
        self.faults = faults or Faults()
        self._lock = threading.Lock()
        self.ledger = FakeLedgerTable(self.faults)
        self.get_item, self.put_item = self.ledger.get_item, self.ledger.put_item
        self.update_item, self.transact_write_items = self.ledger.update_item, self.ledger.transact_write_items

    def describe_table(self, *, TableName: str) -> dict[str, Any]:
        with self.faults.call("DescribeTable"):
            self._items(TableName, "DescribeTable")
            size = {} if self.size_bytes is None else {"TableSizeBytes": self.size_bytes}
            return {"Table": {"TableName": TableName, **_key_schema(self.keys[TableName]), **size}}

    def scan(self, **request: Any) -> dict[str, Any]:
        with self.faults.call("Scan"):
            self.scans.append(request)
            assert {} not in request.values()  # DynamoDB refuses it
            segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
            assert 0 <= segment < segments
            table = self._items(request["TableName"], "Scan")
            key = self.keys[request["TableName"]]
            placed = sorted((_position(item, key), number) for number, item in enumerate(table))
            if "ExclusiveStartKey" in request:
                assert request["ExclusiveStartKey"].keys() == {each.name for each in key}
                after = _position(request["ExclusiveStartKey"], key)
                placed = [each for each in placed if each[0] > after]
            items = [table[number] for (place, *_), number in placed if place % segments == segment]
            page = items[: min(self.page_items, request.get("Limit", self.page_items))]
            test = matches(request)
            answer: dict[str, Any] = {"Items": [item for item in page if test(item)], "ScannedCount": len(page)}
            answer["Count"] = len(answer["Items"])
            assert request["ReturnConsumedCapacity"] == "TOTAL"
            answer["ConsumedCapacity"] = {"TableName": request["TableName"], "CapacityUnits": len(page) / 2}
            if len(page) == self.page_items:  # as with DynamoDB, a full page may be the last, and not say so
                answer["LastEvaluatedKey"] = {each.name: page[-1][each.name] for each in key}
            return self._answer(answer)

    def batch_get_item(self, *, RequestItems: dict[str, Any], ReturnConsumedCapacity: str) -> dict[str, Any]:
        with self.faults.call("BatchGetItem"):
            assert ReturnConsumedCapacity == "TOTAL"
            ((table, request),) = RequestItems.items()
            assert request["ConsistentRead"]
            keys = request["Keys"]
            ids = [_key(each, self.keys[table]) for each in keys]
            if not 1 <= len(set(ids)) == len(ids) <= 100 or any("" in each for each in ids):
                raise _refusal("Too many items, duplicates, or an empty key")
            undone = max(0, len(ids) - self.undone_keys.pop(0)) if self.undone_keys else len(ids)
            items = self._items(table, "BatchGetItem")
            found = [item for item in items if _key(item, self.keys[table]) in ids[:undone]]
            left = {table: request | {"Keys": keys[undone:]}} if keys[undone:] else {}
            consumed = [{"TableName": table, "CapacityUnits": float(undone)}]
            return self._answer({"Responses": {table: found}, "UnprocessedKeys": left, "ConsumedCapacity": consumed})

    async def before_write(self) -> None:
        """What happens before a BatchWriteItem that comes over a channel; nothing."""

    def batch_write_item(self, *, RequestItems: dict[str, Any], RawBody: bytes) -> dict[str, Any]:
        with self.faults.call("BatchWriteItem"), self._lock:
            body = json.loads(RawBody, parse_float=_no_floats)
            ((table, writes),) = body["RequestItems"].items()
            assert RequestItems == {}
            items = [write["PutRequest"]["Item"] for write in writes]
            self.requests.append(items)
            self._items(table, "BatchWriteItem")
            left = self.script.pop(0) if self.script else 0
            if isinstance(left, BaseException):
                raise left
            key = self.keys[table]
            self._check(items, key)
            taken, undone = items[: len(items) - left], items[len(items) - left :]
            replaced = {_key(item, key) for item in taken}
            self.tables[table] = [other for other in self.tables[table] if _key(other, key) not in replaced] + taken
            # DynamoDB writes unprocessed items anew: other spaces, another order, other escapes.
            answer: dict[str, Any] = {"UnprocessedItems": {}}
            if undone:
                answer["UnprocessedItems"] = {table: [{"PutRequest": {"Item": item}} for item in undone]}
            if body.get("ReturnConsumedCapacity") == "TOTAL":
                answer["ConsumedCapacity"] = [{"TableName": table, "CapacityUnits": float(len(taken))}]
            return self._answer(answer)

    def _answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        if self.raw:
            return {"RawBody": json.dumps(answer, sort_keys=True, indent=1).encode(), "ResponseMetadata": _OK}
        return {**_parsed(answer), "ResponseMetadata": _OK}

    def _items(self, table: str, operation: str) -> list[Item]:
        if table not in self.tables:
            raise client_error("ResourceNotFoundException", message="Requested resource not found", operation=operation)
        return self.tables[table]

    def _check(self, items: list[Item], key: KeyAttributes) -> None:
        keys = [_key(item, key) for item in items]
        if not 1 <= len(items) <= 25:
            raise _refusal("Too many items requested for the BatchWriteItem call")
        if len(set(keys)) < len(keys):
            raise _refusal("Provided list of item keys contains duplicates")
        for item in items:
            for each in key:
                if not item[each.name].get(each.type):
                    raise _refusal(f"Type mismatch, or an empty string value, for the key {each.name}")
            if len(json.dumps(item)) > self.most_item_bytes:
                raise _refusal("Item size has exceeded the maximum allowed size")
            _check_values(item.values())


def _key_schema(key: KeyAttributes) -> dict[str, Any]:
    kinds = zip(key, ("HASH", "RANGE"), strict=False)
    return {
        "KeySchema": [{"AttributeName": each.name, "KeyType": kind} for each, kind in kinds],
        "AttributeDefinitions": [{"AttributeName": each.name, "AttributeType": each.type} for each in key],
    }


def _key(item: Item, key: KeyAttributes) -> tuple[Any, ...]:
    """The values of a key, alike where DynamoDB has them alike."""
    values = [(each.type, item[each.name].get(each.type)) for each in key]
    return tuple(_EXACT.create_decimal(value) if kind == "N" and value else value for kind, value in values)


def _position(item: Item, key: KeyAttributes) -> tuple[Any, ...]:
    values = _key(item, key)
    return crc32(format(values[0], "").encode()), *values


def _refusal(message: str) -> Exception:
    return client_error("ValidationException", message=message, operation="BatchWriteItem")


def _no_floats(text: str) -> float:
    raise AssertionError(f"a bare number in DynamoDB JSON: {text}")


def _check_values(values: Iterable[dict[str, Any]], depth: int = 0) -> None:
    """Refuse the same values as DynamoDB. Source: Developer Guide, "Supported data types" and "Quotas"."""
    for value in values:
        ((kind, content),) = value.items()
        if kind in ("N", "NS"):
            for text in [content] if kind == "N" else content:
                _check_number(text)
        if kind in ("SS", "NS", "BS") and not 0 < len(set(content)) == len(content):
            raise _refusal("One or more parameter values were invalid: Input collection is empty or has duplicates")
        if kind in ("L", "M"):
            if depth == _MOST_DEPTH:
                raise _refusal("Nesting Levels have exceeded supported limits")
            _check_values(content if kind == "L" else content.values(), depth + 1)


def _check_number(text: str) -> None:
    try:
        number = _EXACT.create_decimal(text)
    except InvalidOperation:
        raise _refusal("The parameter cannot be converted to a numeric value") from None
    if len(number.normalize(_EXACT).as_tuple().digits) > 38:
        raise _refusal("Attempting to store more than 38 significant digits in a Number")
    if number and not -130 <= number.adjusted() <= 125:
        raise _refusal("Number overflow or underflow")


def _parsed(document: Any) -> Any:
    """A JSON document as botocore parses it: binary values are bytes."""
    if isinstance(document, list):
        return [_parsed(each) for each in document]
    if isinstance(document, dict):
        if document.keys() == {"B"} and isinstance(document["B"], str):
            return {"B": b64decode(document["B"])}
        if document.keys() == {"BS"}:
            return {"BS": [b64decode(each) for each in document["BS"]]}
        return {name: _parsed(value) for name, value in document.items()}
    return document
