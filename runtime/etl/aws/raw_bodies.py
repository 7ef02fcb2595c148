"""Bodies of DynamoDB's requests and answers as bytes, by a client of botocore.

A request may carry ``RawBody``, the body to send. The answer then has ``RawBody``, the bytes that DynamoDB sent. Other
parameters of a request may be parts of such an answer, whose binary values are base64: botocore alone would encode that
text once more. The hooks are botocore's events: credentials, signing, endpoints and tracing stay botocore's own. Items
are neither built nor parsed, which would take most of a run's time. If the client speaks another protocol than JSON,
answers are parsed.
"""

from base64 import b64decode
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
from botocore.exceptions import ChecksumError, IncompleteReadError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RAW_OPERATIONS = ("Scan", "BatchGetItem", "BatchWriteItem")
"""The operations that move items between the stages and the tables."""


def take_raw_bodies(client: "DynamoDBClient", operations: Collection[str] = RAW_OPERATIONS) -> None:
    """Put the hooks for some operations into a client."""
    events = client.meta.events
    json = speaks_json(client)
    for operation in operations:
        events.register(f"before-parameter-build.dynamodb.{operation}", _take_raw_body if json else _parse_raw_body)
        if json:
            events.register(f"before-call.dynamodb.{operation}", _send_raw_body)
    events.register("before-parse.dynamodb", check_whole)
    if json:
        events.register("before-parse.dynamodb", partial(_keep_raw_body, operations))


def raw_body(answer: Any) -> bytes:
    """The body of an answer of a client with these hooks.

    A client of another protocol than JSON has parsed it. Its binary values are encoded to the same base64 again.
    """
    raw = answer.get("RawBody")
    return raw if isinstance(raw, bytes) else msgspec.json.encode(answer)


def speaks_json(client: "DynamoDBClient") -> bool:
    """Whether the bodies of a client are JSON. The SDK may choose another protocol of the service by itself."""
    model: Any = client.meta.service_model
    return bool(model.resolved_protocol == "json" and model.metadata.get("jsonVersion") == "1.0")


def _take_raw_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["raw_body"] = params.pop("RawBody", None)
    params |= _parsed(params)


def _send_raw_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    if context["raw_body"] is not None:
        params["body"] = context["raw_body"]


def _keep_raw_body(
    operations: Collection[str],
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    operation_model: Any,
    **_: Any,
) -> None:
    # botocore parses an error as usual, and raises it.
    if operation_model.name in operations and response_dict["status_code"] < 300:
        customized_response_dict["RawBody"] = response_dict["body"]
        response_dict["body"] = b"{}"


def _parse_raw_body(params: dict[str, Any], **_: Any) -> None:
    """Give a client of another protocol the parameters, since it builds the body itself."""
    raw = params.pop("RawBody", None)
    params |= _parsed(params | (msgspec.json.decode(raw) if raw else {}))


def _parsed(document: Any) -> Any:
    """A document of DynamoDB JSON as botocore takes and returns it: binary values are bytes."""
    if isinstance(document, list):
        return [_parsed(each) for each in document]
    if not isinstance(document, dict):
        return document
    match document:
        case {"B": str(text)} if len(document) == 1:
            return {"B": b64decode(text)}
        case {"BS": list(texts)} if len(document) == 1 and all(isinstance(text, str) for text in texts):
            return {"BS": [b64decode(text) for text in texts]}
    return {name: _parsed(value) for name, value in document.items()}


def check_whole(response_dict: dict[str, Any], operation_model: Any, **_: Any) -> None:
    """Check that an answer arrived whole, unless it is streamed. From 1.44 on botocore accepts one that broke off."""
    body, headers = response_dict["body"], response_dict["headers"]
    if not isinstance(body, bytes) or operation_model.http["method"] == "HEAD":
        return
    expected = headers.get("content-length")
    if expected is not None and "content-encoding" not in headers and int(expected) != len(body):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(expected))
    check_crc32(body, headers)


def check_crc32(body: bytes, headers: Mapping[str, str]) -> None:
    """Compare an answer with the checksum that DynamoDB sent with it.

    Raises:
        ChecksumError: the answer was changed on the way.
    """
    expected = headers.get("x-amz-crc32")
    if expected is not None and int(expected) != crc32(body):
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=str(crc32(body)))
