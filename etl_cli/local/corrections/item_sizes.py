"""Measures tables and the capacity of reads by the size of the items, as AWS does.

Source of the rules: DynamoDB Developer Guide, "DynamoDB read and write operations". A unit is 4 KB read with strong
consistency. An eventually consistent read takes half of it, a transactional one twice. A Scan or a Query adds up the
sizes of all evaluated items and rounds once. BatchGetItem and TransactGetItems round each item. A missing item takes as
much as a small one. ministack measures an item by "DynamoDB item sizes and formats".
"""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

UNIT_BYTES = 4096

_read = threading.local()


def count_read_units() -> None:
    """Correct the ConsumedCapacity of Scan, Query, GetItem, BatchGetItem and TransactGetItems; writes are right."""
    from ministack.services import dynamodb

    _remember_page_sizes(dynamodb)
    _count_by_size(dynamodb)
    _count_batches(dynamodb)
    _count_transactions(dynamodb)


def measure_tables() -> None:
    """Make TableSizeBytes the sum of the items' sizes, on which `etl plan` and the number of segments depend."""
    from ministack.services import dynamodb

    put, remove, recount = dynamodb._set_item, dynamodb._remove_item, dynamodb._update_counts
    size_of = dynamodb._item_size_bytes

    def put_and_measure(table: Any, pk: Any, sk: Any, item: Any) -> Any:
        size = table["TableSizeBytes"] + size_of(item)
        old = put(table, pk, sk, item)
        table["TableSizeBytes"] = size - size_of(old)
        return old

    def remove_and_measure(table: Any, pk: Any, sk: Any) -> Any:
        size = table["TableSizeBytes"]
        old = remove(table, pk, sk)
        table["TableSizeBytes"] = size - size_of(old)
        return old

    def recount_and_measure(table: Any) -> None:
        recount(table)
        table["TableSizeBytes"] = sum(size_of(item) for items in table["items"].values() for item in items.values())

    dynamodb._set_item, dynamodb._remove_item = put_and_measure, remove_and_measure
    dynamodb._update_counts = recount_and_measure


def blocks(size_bytes: int) -> int:
    """Return the number of 4 KB blocks for a number of bytes, at least one."""
    return max(1, math.ceil(size_bytes / UNIT_BYTES))


def _remember_page_sizes(dynamodb: Any) -> None:
    """Keep the size that ends a page. Measuring it again would slow a scan down."""

    def paginate(items: Iterable[Any], limit: Any, table: Any, index_name: str | None = None) -> tuple[list[Any], bool]:
        page: list[Any] = []
        _read.page_bytes = 0
        for item in items:
            entry = dynamodb._apply_index_projection(item, table, index_name) if index_name else item
            size = dynamodb._item_size_bytes(entry)
            if page and _read.page_bytes + size > dynamodb._DDB_PAGE_SIZE_BYTES:
                return page, True
            page.append(item)
            _read.page_bytes += size
            if (limit is not None and len(page) >= int(limit)) or _read.page_bytes >= dynamodb._DDB_PAGE_SIZE_BYTES:
                return page, True
        return page, False

    dynamodb._paginate_evaluated_items = paginate


def _count_by_size(dynamodb: Any) -> None:
    add = dynamodb._add_consumed_capacity

    def add_by_size(result: Any, data: Any, table_name: str, write: bool = False, **details: Any) -> None:
        add(result, data, table_name, write, **details)
        if not write and "ConsumedCapacity" in result:
            size = _item_bytes(dynamodb, table_name, data["Key"]) if "Key" in data else _read.page_bytes
            result["ConsumedCapacity"] = _multiplied(result["ConsumedCapacity"], blocks(size))

    dynamodb._add_consumed_capacity = add_by_size


def _count_batches(dynamodb: Any) -> None:
    get = dynamodb._batch_get_item

    def get_and_count(data: Any) -> Any:
        status, headers, body = get(data)
        kind = data.get("ReturnConsumedCapacity", "NONE")
        if status != 200 or kind == "NONE":
            return status, headers, body
        consumed = []
        for name, wanted in data["RequestItems"].items():
            each = 1.0 if wanted.get("ConsistentRead") else 0.5
            units = each * sum(blocks(_item_bytes(dynamodb, name, key)) for key in wanted["Keys"])
            table = {"Table": {"CapacityUnits": units}} if kind == "INDEXES" else {}
            consumed.append({"TableName": name, "CapacityUnits": units, **table})
        return dynamodb.json_response(json.loads(body) | {"ConsumedCapacity": consumed})

    dynamodb._batch_get_item = get_and_count


def _count_transactions(dynamodb: Any) -> None:
    get = dynamodb._transact_get_items

    def get_and_count(data: Any) -> Any:
        status, headers, body = get(data)
        found = json.loads(body)
        if status != 200 or "ConsumedCapacity" not in found:
            return status, headers, body
        read, wanted = Counter[str](), Counter[str]()
        for each in (item["Get"] for item in data["TransactItems"]):
            read[each["TableName"]] += blocks(_item_bytes(dynamodb, each["TableName"], each["Key"]))
            wanted[each["TableName"]] += 1
        consumed = [
            _multiplied(each, read[each["TableName"]] / wanted[each["TableName"]]) for each in found["ConsumedCapacity"]
        ]
        return dynamodb.json_response(found | {"ConsumedCapacity": consumed})

    dynamodb._transact_get_items = get_and_count


def _item_bytes(dynamodb: Any, table_name: str, key: Any) -> int:
    table = dynamodb._tables[dynamodb._normalize_table_name(table_name)]
    size: int = dynamodb._item_size_bytes(dynamodb._get_item_by_key(table, key))
    return size


def _multiplied(consumed: Any, by: float) -> Any:
    """Multiply the units of a ConsumedCapacity, of the table and of its indexes."""
    if isinstance(consumed, dict):
        return {name: _multiplied(each, by) for name, each in consumed.items()}
    return consumed if isinstance(consumed, str) else consumed * by
