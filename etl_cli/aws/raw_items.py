"""Items as bytes: of a table, as DynamoDB sends them.

botocore makes a dict of each value: a page of 1 MB that holds lists of truths takes over 100 MB, and one item 75.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl_cli.aws.deployment import Pipeline


class _Answer(msgspec.Struct, rename="pascal"):
    item: msgspec.Raw = msgspec.Raw(b"")
    items: list[msgspec.Raw] = []


_answers = msgspec.json.Decoder(_Answer)
_attributes = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def raw_client(pipeline: Pipeline) -> DynamoDBClient:
    """A client of its own, whose answers have ``RawBody``, the bytes that DynamoDB sent, and nothing else."""
    client: DynamoDBClient = pipeline.client("dynamodb")
    client.meta.events.register("before-parse.dynamodb", _keep_raw_body)
    return client


def items_of(answer: Any) -> list[bytes]:
    """The items of an answer to Query or GetItem, a line of DynamoDB JSON each.

    An answer of a botocore whose protocol isn't JSON is parsed, and made JSON again: binaries become the same base64.
    """
    raw = answer.get("RawBody")
    found = _answers.decode(raw if isinstance(raw, bytes) else msgspec.json.encode(answer))
    return [line for line in map(bytes, (found.item, *found.items)) if line]


def without_alike(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """Two items in the same kind of JSON, without the attributes that are written alike: those needn't be decoded."""
    here, there = _attributes(one), _attributes(other)
    alike = {name for name, value in here.items() if name in there and bytes(there[name]) == bytes(value)}
    return _without(here, alike), _without(there, alike)


def _without(attributes: dict[str, msgspec.Raw], names: set[str]) -> bytes:
    return msgspec.json.encode({name: value for name, value in attributes.items() if name not in names})


def _keep_raw_body(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    body = response_dict["body"]
    # An error is parsed as ever, and raised; and so is an answer of another protocol.
    if response_dict["status_code"] < 300 and body[:1] == b"{":
        customized_response_dict["RawBody"] = body
        response_dict["body"] = b"{}"
