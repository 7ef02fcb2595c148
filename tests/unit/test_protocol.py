"""A client that speaks another protocol than JSON: the SDK chooses among a service's, as it does for CloudWatch."""

import asyncio
import json
import struct
from typing import Any

import pytest
from botocore.session import Session, get_session

from etl.aws.clients import dynamodb_client
from etl.aws.raw_bodies import speaks_json
from etl.tables.batch_writer import ClientBatchWriter, HttpBatchWriter, open_batch_writer
from etl.tables.source import SourceTable
from tests.unit.builders import PICKED
from tests.unit.http_server import Answer, endpoint
from tests.unit.test_aws import settings

ITEM = {"id": {"S": "é"}, "bin": {"B": b"hi"}, "bins": {"BS": [b"\x00"]}, "deep": {"L": [{"M": {"B": {"B": b""}}}]}}
BODY = (
    b'{"RequestItems":{"t":[{"PutRequest":{"Item":{"id":{"S":"\xc3\xa9"},"bin":{"B":"aGk="},"bins":{"BS":["AA=="]},'
    b'"deep":{"L":[{"M":{"B":{"B":""}}}]}}}}]},"ReturnConsumedCapacity":"TOTAL"}'
)


def cbor(value: Any) -> bytes:
    """A value as CBOR. Source: RFC 8949, section 3.1."""

    def head(major: int, size: int) -> bytes:
        return struct.pack(">BI", major << 5 | 26, size)

    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, (str, bytes)):
        raw = value.encode() if isinstance(value, str) else value
        return head(3 if isinstance(value, str) else 2, len(raw)) + raw
    if isinstance(value, float):
        return struct.pack(">Bd", 7 << 5 | 27, value)
    return head(0, value)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose model of DynamoDB speaks CBOR alone."""
    settings(monkeypatch)
    made = get_session()
    loader: Any = made.get_component("data_loader")
    load = loader.load_service_model

    def load_service_model(service: str, kind: str, api_version: str | None = None) -> Any:
        model = load(service, kind, api_version)
        if (service, kind) != ("dynamodb", "service-2"):
            return model
        metadata = model["metadata"] | {"protocol": "smithy-rpc-v2-cbor", "protocols": ["smithy-rpc-v2-cbor"]}
        return model | {"metadata": metadata}

    monkeypatch.setattr(loader, "load_service_model", load_service_model)
    return made


def answer(document: Any) -> Answer:
    return Answer(cbor(document), headers={"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"})


def test_the_locked_client_speaks_json(monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch)
    client = dynamodb_client()

    assert speaks_json(client)


def test_a_page_is_that_of_a_client_that_speaks_json(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"Items": [ITEM], "Count": 1, "ScannedCount": 3, "ConsumedCapacity": {"CapacityUnits": 0.5}}
    with endpoint(answer(page | {"LastEvaluatedKey": {"id": {"S": "é"}}})) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        found = next(SourceTable(dynamodb_client(session), "t").pages(PICKED, 0, 1, None))

    sent = json.loads(BODY)["RequestItems"]["t"][0]["PutRequest"]["Item"]
    assert [json.loads(bytes(line)) for line in found.items] == [sent]
    assert (found.read, found.scanned, found.cursor, float(found.units)) == (1, 3, {"key": {"id": {"S": "é"}}}, 0.5)


def test_a_binary_key_of_a_page_goes_back_as_it_came(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"Items": [], "Count": 0, "ScannedCount": 3}
    with endpoint(answer(page | {"LastEvaluatedKey": {"id": {"B": b"hi"}}}), answer(page)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        list(SourceTable(dynamodb_client(session), "t").pages(PICKED, 0, 1, None))

    assert b"\x61B\x42hi" in server.requests[1][1]


def test_a_batch_is_sent_as_parameters(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    undone = {"UnprocessedItems": {"t": [{"PutRequest": {"Item": ITEM}}]}}
    with endpoint(answer(undone)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        client = dynamodb_client(session)
        writer = open_batch_writer(session, client)
        assert isinstance(writer, ClientBatchWriter)
        answered = json.loads(asyncio.run(writer.batch_write_item(BODY)))

    ((headers, body),) = server.requests
    assert headers["Content-Type"] == "application/cbor"
    for part in (b"RequestItems", b"PutRequest", "é".encode(), b"\x42hi", b"ReturnConsumedCapacity"):
        assert part in body
    assert answered["UnprocessedItems"] == {"t": [json.loads(BODY)["RequestItems"]["t"][0]]}


def test_a_client_that_speaks_json_has_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch)
    session = get_session()

    assert isinstance(open_batch_writer(session, dynamodb_client(session)), HttpBatchWriter)
