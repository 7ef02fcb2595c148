import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import botocore.exceptions as botocore_errors
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from etl.aws import clients as aws
from etl.aws.clients import dynamodb_client, explained, is_transient, s3_client
from etl.model.errors import ConfigurationError, Reason, TransientError
from etl.model.keys import KeyAttribute
from etl.model.schema import SPECIFIED
from etl.tables.batch_writer import ClientBatchWriter
from etl.tables.ceiling import Pacer
from etl.tables.destination import DestinationTable
from etl.tables.source import SourceTable
from tests.fakes.faults import client_error
from tests.unit.builders import PICKED, no_waiting, unlimited
from tests.unit.http_server import Answer, Endpoint, endpoint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEM = b'{"timestamp":{"S":"2024-01-15T10:00:00Z"},"id":{"S":"\xc3\xa9"},"bin":{"B":"aGk="},"n":{"N":"1.50"}}'
PAGE = Answer(b'{"Count":1,"Items":[%s],"ScannedCount":3,"LastEvaluatedKey":{"id":{"S":"x"}}}' % ITEM)
LAST = Answer(b'{"Count":0,"Items":[],"ScannedCount":0}')
FAILURE = Answer(b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"later"}', status=500)
THROTTLED = Answer(b'{"__type":"com.amazonaws#ThrottlingException","message":"slower"}', status=400)
DENIED = Answer(b'{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}', status=400)
TAKEN = Answer(b'{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"destination","CapacityUnits":1.0}]}')


def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the clients credentials and a region."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    aws._default_session.cache_clear()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings(monkeypatch)


def client(server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> "DynamoDBClient":
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
    return dynamodb_client()


def scan(dynamodb: "DynamoDBClient") -> dict[str, Any]:
    return dict(dynamodb.scan(TableName="source"))


def write(dynamodb: "DynamoDBClient", body: bytes) -> dict[str, Any]:
    return dict(dynamodb.batch_write_item(RequestItems={"destination": []}, RawBody=body))  # type: ignore[call-arg]


def test_a_scan_is_answered_with_the_bytes_that_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(PAGE) as server:
        answer = scan(client(server, monkeypatch))

    assert answer["RawBody"] == PAGE.body
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_scan_is_requested_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(LAST) as server:
        scan(client(server, monkeypatch))

    ((headers, body),) = server.requests
    assert json.loads(body) == {"TableName": "source"}
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.Scan"


def test_the_source_table_reads_through_the_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(PAGE, LAST) as server:
        pages = list(SourceTable(client(server, monkeypatch), "source").pages(PICKED, 0, 1, None))

    assert [list(map(bytes, page.items)) for page in pages] == [[ITEM], []]
    assert json.loads(server.requests[1][1])["ExclusiveStartKey"] == {"id": {"S": "x"}}


def test_a_replay_fetches_items_through_the_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes of small values would take a gigabyte if the client parsed them."""
    answer = b'{"Responses":{"source":[%s]},"UnprocessedKeys":{},"ConsumedCapacity":[{"CapacityUnits":1.5}]}' % ITEM
    with endpoint(Answer(answer)) as server:
        request: Any = {"source": {"Keys": []}}
        assert dict(client(server, monkeypatch).batch_get_item(RequestItems=request))["RawBody"] == answer

    with endpoint(Answer(answer)) as server:
        found, units = SourceTable(client(server, monkeypatch), "source").items(
            SPECIFIED.source, [(json.loads(ITEM)["id"]["S"],)]
        )

    assert (list(found.values()), units) == ([ITEM], Decimal("1.5"))
    assert json.loads(server.requests[0][1])["RequestItems"]["source"]["ConsistentRead"]


def test_a_binary_key_of_a_page_goes_back_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"id": {"B": "AP8="}, "n": {"N": "1.50"}}
    page = Answer(b'{"Count":0,"Items":[],"ScannedCount":3,"LastEvaluatedKey":%s}' % json.dumps(key).encode())
    values = {":b": {"B": "AAE="}, ":bs": {"BS": ["AAE=", ""]}, ":s": {"S": "AAE="}}
    with endpoint(page, LAST) as server:
        list(SourceTable(client(server, monkeypatch), "t").pages({"ExpressionAttributeValues": values}, 0, 1, None))

    sent = [json.loads(body) for _, body in server.requests]
    assert [each["ExpressionAttributeValues"] for each in sent] == [values, values]
    assert sent[1]["ExclusiveStartKey"] == key


def test_binary_keys_of_a_replay_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    item = b'{"id":{"B":"AP8="}}'
    undone = Answer(b'{"Responses":{"t":[]},"UnprocessedKeys":{"t":{"Keys":[%s],"ConsistentRead":true}}}' % item)
    with endpoint(undone, Answer(b'{"Responses":{"t":[%s]},"UnprocessedKeys":{}}' % item)) as server:
        source = SourceTable(client(server, monkeypatch), "t")
        found, _ = source.items((KeyAttribute("id", "B"),), [("AP8=",)], lambda _: None)

    assert found == {("AP8=",): item}
    assert [json.loads(body)["RequestItems"]["t"]["Keys"] for _, body in server.requests] == [[json.loads(item)]] * 2


@pytest.mark.parametrize("answer", [DENIED, THROTTLED, FAILURE])
def test_an_error_is_raised_as_botocore_raises_it(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    with endpoint(answer) as server, pytest.raises(ClientError) as error:
        scan(client(server, monkeypatch))

    assert error.value.response["Error"]["Code"] in answer.body.decode()
    assert error.value.response["Error"]["Message"] in ("no", "slower", "later")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == answer.status


def test_a_raw_body_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{ "RequestItems": {"destination": [ {"PutRequest":{"Item":%s}}]}}' % ITEM
    with endpoint(TAKEN) as server:
        answer = write(client(server, monkeypatch), body)

    ((headers, sent),) = server.requests
    assert sent == body
    assert headers["X-Amz-Target"] == "DynamoDB_20120810.BatchWriteItem"
    assert answer["RawBody"] == TAKEN.body


@pytest.mark.parametrize("raw", [b'{"RequestItems":{"a":[]}}', None])
def test_the_signature_is_that_of_the_body(monkeypatch: pytest.MonkeyPatch, raw: bytes | None) -> None:
    """Sign the received request again, as the service does."""
    with endpoint(TAKEN) as server:
        dynamodb = client(server, monkeypatch)
        if raw:
            write(dynamodb, raw)
        else:
            dynamodb.batch_write_item(RequestItems={"a": [{"DeleteRequest": {"Key": {"id": {"S": "x"}}}}]})

    ((headers, body),) = server.requests
    signed = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    lower = {name.lower(): value for name, value in headers.items()}
    request = AWSRequest("POST", server.url + "/", {name: lower[name] for name in signed}, body)
    request.context["timestamp"] = lower["x-amz-date"]
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "dynamodb", "eu-central-1")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)

    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_the_destination_table_writes_through_the_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    undone = b'{"UnprocessedItems":{"destination":[{"PutRequest":{"Item":%s}}]}}' % ITEM
    key = ("é", "2024-01-15T10:00:00Z")
    with endpoint(Answer(undone), TAKEN) as server:
        dynamodb = client(server, monkeypatch)
        table = DestinationTable(ClientBatchWriter(dynamodb), "destination", Pacer(None), lambda: 300_000, no_waiting)
        outcome = asyncio.run(table.write({key: ITEM}))

    assert (outcome.loaded, outcome.requests, outcome.throttled) == (1, 2, 1)
    assert [
        json.loads(body)["RequestItems"]["destination"][0]["PutRequest"]["Item"] for _, body in server.requests
    ] == [json.loads(ITEM)] * 2


@pytest.mark.parametrize("answer", [FAILURE, THROTTLED, Answer(TAKEN.body, length=1000)])
def test_the_destination_table_asks_again_itself(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    with endpoint(answer, TAKEN) as server:
        dynamodb = client(server, monkeypatch)
        table = DestinationTable(ClientBatchWriter(dynamodb), "destination", Pacer(None), lambda: 300_000, no_waiting)

        assert asyncio.run(table.write({("é", "2024-01-15T10:00:00Z"): ITEM})).loaded == 1

    assert len(server.requests) == 2


BROKEN = [
    pytest.param(FAILURE, id="500"),
    pytest.param(THROTTLED, id="throttled"),
    pytest.param(Answer(PAGE.body, crc=1), id="wrong crc32"),
    pytest.param(Answer(PAGE.body, length=len(PAGE.body) + 10), id="broken off"),
]


@pytest.mark.parametrize("answer", BROKEN)
def test_a_page_that_failed_in_passing_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    with endpoint(answer, LAST) as server:
        source = SourceTable(client(server, monkeypatch), "source")

        assert len(list(source.pages(PICKED, 0, 1, None, unlimited()))) == 1

    assert len(server.requests) == 2


@pytest.mark.parametrize("answer", BROKEN)
def test_without_a_deadline_a_page_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    with endpoint(answer, LAST) as server, pytest.raises((ClientError, botocore_errors.BotoCoreError)):
        list(SourceTable(client(server, monkeypatch), "source").pages(PICKED, 0, 1, None))

    assert len(server.requests) == 1


@pytest.mark.parametrize("send", [scan, lambda dynamodb: write(dynamodb, b"{}")], ids=["Scan", "BatchWriteItem"])
def test_a_request_whose_caller_waits_is_sent_once(
    monkeypatch: pytest.MonkeyPatch, send: Callable[["DynamoDBClient"], Any]
) -> None:
    with endpoint(FAILURE) as server, pytest.raises(ClientError):
        send(client(server, monkeypatch))

    assert len(server.requests) == 1


def test_other_operations_are_answered_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(Answer(b'{"Table":{"TableSizeBytes":5}}')) as server:
        answer = client(server, monkeypatch).describe_table(TableName="source")

    assert answer["Table"]["TableSizeBytes"] == 5
    assert "RawBody" not in answer


def test_the_client_of_s3_waits_and_tries_as_set() -> None:
    config: Any = s3_client().meta.config

    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.s3["payload_signing_enabled"] is False


@pytest.mark.parametrize(
    "error",
    [
        client_error("ProvisionedThroughputExceededException"),
        client_error("ThrottlingException"),
        client_error("SlowDown", 503),
        client_error("RequestLimitExceeded"),
        client_error("ConditionalRequestConflict", 409),
        client_error("SomethingNew", 500),
        client_error("SomethingNew", 503),
        client_error("SomethingNew", 429),
        botocore_errors.EndpointConnectionError(endpoint_url="x"),
        botocore_errors.ConnectTimeoutError(endpoint_url="x"),
        botocore_errors.ReadTimeoutError(endpoint_url="x"),
        botocore_errors.ConnectionClosedError(endpoint_url="x"),
        botocore_errors.HTTPClientError(error="x"),
        botocore_errors.ChecksumError(checksum_type="crc32", expected_checksum="1", actual_checksum="2"),
        botocore_errors.FlexibleChecksumError(error_msg="x"),
        client_error("TransactionConflictException"),
        botocore_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        botocore_errors.ResponseStreamingError(error="x"),
    ],
)
def test_an_error_that_passes_by_itself_is_transient(error: Any) -> None:
    assert is_transient(error)
    assert type(explained(error)) is TransientError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("AccessDenied", 403), Reason.ACCESS_DENIED),
        (client_error("AccessDeniedException"), Reason.ACCESS_DENIED),
        (client_error("ResourceNotFoundException"), Reason.NOT_FOUND),
        (client_error("NoSuchBucket", 404), Reason.NOT_FOUND),
        (client_error("ValidationException"), Reason.REFUSED),
        (botocore_errors.NoCredentialsError(), Reason.REFUSED),
    ],
)
def test_a_lasting_error_has_a_reason_and_the_message_of_aws(error: Any, reason: Reason) -> None:
    told = explained(error)

    assert not is_transient(error)
    assert type(told) is ConfigurationError
    assert str(told).endswith(f"[{reason}]")
    assert str(error) in str(told)


def test_a_lasting_error_names_the_resources_of_the_function() -> None:
    message = str(explained(client_error("ResourceNotFoundException"), ["etl-source-data", "etl-staging"]))

    assert "etl-source-data and etl-staging" in message


def test_an_error_without_metadata_is_judged_by_its_code() -> None:
    assert is_transient(ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "Scan"))
    assert not is_transient(ClientError({"Error": {"Code": "Other", "Message": ""}}, "Scan"))


def test_another_error_is_not_transient() -> None:
    assert not is_transient(ValueError())


def test_a_body_that_is_streamed_is_read_by_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(Answer(b"body"), Answer(b"body", length=10)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        s3 = s3_client()
        assert s3.get_object(Bucket="staging", Key="x")["Body"].read() == b"body"
        broken = s3.get_object(Bucket="staging", Key="x")["Body"]
        with pytest.raises(botocore_errors.BotoCoreError) as error:
            broken.read()

    assert is_transient(error.value)


def test_an_answer_that_has_a_length_and_no_body_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(Answer(b"", length=10)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)

        assert s3_client().head_object(Bucket="staging", Key="x")["ContentLength"] == 10
