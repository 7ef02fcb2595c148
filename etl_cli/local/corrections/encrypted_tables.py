"""Asks for the key of an encrypted table, as DynamoDB does in its caller's name.

Sources: DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes": the event Decrypt names the caller, who
reads or writes; all else is done by grants. github.com/aws/aws-cdk/issues/10010 has DynamoDB's words for a refusal.
"""

from __future__ import annotations

import json
from typing import Any

# Operations on items. DynamoDB describes a table without its key.
_ON_ITEMS = frozenset(
    (
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"),
        *("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"),
    )
)
_REFUSAL = (
    "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: The ciphertext refers to a "
    "customer master key that does not exist, does not exist in this region, or you are not allowed to access."
)


def ask_for_table_keys() -> None:
    """Refuse an operation on items of an encrypted table to a caller without kms:Decrypt, which is ignored."""
    from ministack.services import dynamodb

    handle = dynamodb.handle_request

    async def handle_with_key(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        from ministack.app import AUTH  # can only be imported once the server runs

        if (
            AUTH
            and headers.get("x-amz-target", "").rpartition(".")[2] in _ON_ITEMS
            and _lacks_key(headers, query, body)
        ):
            return dynamodb.error_response_json("AccessDeniedException", _REFUSAL, 400)
        return await handle(method, path, headers, body, query)

    dynamodb.handle_request = handle_with_key


def _lacks_key(headers: Any, query: Any, body: bytes) -> bool:
    from ministack.core.iam_evaluator import enforce
    from ministack.core.responses import get_region
    from ministack.core.router import extract_access_key_id

    region = get_region()
    via = {"kms:ViaService": f"dynamodb.{region}.amazonaws.com"}
    caller = extract_access_key_id(headers, query)
    return any(enforce(caller, "kms:Decrypt", "kms", region, key, via) is not None for key in _keys(body))


def _keys(body: bytes) -> set[str]:
    """The customer managed keys of the tables that a request names."""
    from ministack.services import dynamodb

    found = set()
    for name in _tables(json.loads(body or b"{}")):
        table = dynamodb._tables.get(name.rpartition("/")[2]) or {}
        key = (table.get("SSEDescription") or {}).get("KMSMasterKeyArn", "")
        if ":key/" in key:
            found.add(key)
    return found


def _tables(request: Any) -> set[str]:
    written = request.get("TransactItems", ())
    named = {each["TableName"] for item in written for each in item.values() if "TableName" in each}
    return named | {*request.get("RequestItems", ()), *([request["TableName"]] if "TableName" in request else [])}
