"""How long a client bridges a fault: in seconds, whichever version the SDK has."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from etl import handler as entry
from etl.aws import clients as aws
from etl.aws.backoff import Bridge, full_jitter
from etl.aws.clients import BRIDGED_SECONDS, dynamodb_client, is_transient, s3_client
from etl.model.errors import TransientError
from tests.fakes.faults import client_error
from tests.unit.http_server import Answer, endpoint
from tests.unit.test_aws import DENIED, FAILURE, THROTTLED, settings

ITEM = Answer(b'{"Item":{"id":{"S":"x"}}}')
SLOW_DOWN = Answer(b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>", 503)
STORED = Answer(b"")
LISTED = Answer(b"<ListBucketResult/>")
Send = Callable[[], Any]


class Time:
    """A clock that the waits alone move."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time of the clients' bridges."""
    settings(monkeypatch)
    made = Time()
    monkeypatch.setattr(aws, "BRIDGE", Bridge(BRIDGED_SECONDS, is_transient, made.clock, made.sleep))
    return made


def get_item(url: str, monkeypatch: pytest.MonkeyPatch) -> Send:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    dynamodb = dynamodb_client()
    return lambda: dynamodb.get_item(TableName="ledger", Key={"id": {"S": "x"}})


def put_object(url: str, monkeypatch: pytest.MonkeyPatch) -> Send:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    s3 = s3_client()
    return lambda: s3.put_object(Bucket="staging", Key="x", Body=b"body")


def list_objects(url: str, monkeypatch: pytest.MonkeyPatch) -> Send:
    """By a paginator, which calls the client's methods."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket="staging")
    return lambda: list(pages)


KINDS = [
    pytest.param(get_item, FAILURE, ITEM, id="DynamoDB, 500"),
    pytest.param(get_item, THROTTLED, ITEM, id="DynamoDB, throttled"),
    pytest.param(get_item, Answer(ITEM.body, crc=1), ITEM, id="DynamoDB, wrong CRC32"),
    pytest.param(get_item, Answer(ITEM.body, length=100), ITEM, id="DynamoDB, broken off"),
    pytest.param(list_objects, Answer(b"<ListBucketResult/>", length=100), LISTED, id="S3, broken off"),
    pytest.param(put_object, SLOW_DOWN, STORED, id="S3, SlowDown"),
    pytest.param(put_object, Answer(b"", 500), STORED, id="S3, 500"),
    pytest.param(list_objects, Answer(b"", 500), LISTED, id="S3, a list"),
]


@pytest.mark.usefixtures("time")
@pytest.mark.parametrize("makers", [(s3_client, dynamodb_client), (dynamodb_client, s3_client)])
def test_all_clients_of_a_function_bridge(
    makers: tuple[Callable[[], Any], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: dict[str, tuple[Callable[[Any], Any], Answer]] = {
        "S3": (lambda client: client.put_object(Bucket="staging", Key="x", Body=b"body"), STORED),
        "DynamoDB": (lambda client: client.get_item(TableName="ledger", Key={"id": {"S": "x"}}), ITEM),
    }
    with endpoint(FAILURE) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        for client in [make() for make in makers]:
            request, success = requests[client.meta.service_model.service_id]
            server.answers = [FAILURE, success]
            request(client)

        assert len(server.requests) == 4


@pytest.mark.parametrize(("make", "failure", "success"), KINDS)
def test_a_fault_is_bridged_for_most_of_its_seconds(
    make: Callable[..., Send], failure: Answer, success: Answer, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    random.seed(1)
    with endpoint(failure) as server:
        send = make(server.url, monkeypatch)
        with pytest.raises(Exception, match=r".") as error:
            send()
        waited, attempts = time.now, len(server.requests)
        server.answers = [failure, failure, success]
        send()

    assert is_transient(error.value)
    assert BRIDGED_SECONDS - 5 <= waited <= BRIDGED_SECONDS
    assert 8 <= attempts <= 25


@pytest.mark.parametrize("make", [get_item, put_object])
def test_what_does_not_pass_is_sent_once(
    make: Callable[..., Send], time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    with endpoint(DENIED if make is get_item else Answer(b"", 403)) as server, pytest.raises(ClientError):
        make(server.url, monkeypatch)()

    assert len(server.requests) == 1
    assert time.now == 0


def failing(error: Exception, took: float, time: Time, calls: list[float]) -> Callable[[], None]:
    def call() -> None:
        time.now += took
        calls.append(time.now)
        raise error

    return call


def test_a_request_that_hangs_for_longer_than_that_is_sent_three_times() -> None:
    time, calls = Time(), list[float]()
    bridge = Bridge(20, is_transient, time.clock, time.sleep)
    with pytest.raises(ReadTimeoutError):
        bridge.over(failing(ReadTimeoutError(endpoint_url="x"), 30, time, calls))()

    assert len(calls) == 3


def test_no_attempt_begins_behind_the_time() -> None:
    for seed in range(50):
        random.seed(seed)
        time, calls = Time(), list[float]()
        bridge = Bridge(20, is_transient, time.clock, time.sleep)
        with pytest.raises(ClientError):
            bridge.over(failing(client_error("SlowDown", 503), 0, time, calls))()
        assert 15 <= calls[-1] <= 20


def test_waits_are_drawn_from_nothing_up_to_a_bound_that_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda least, most: (least, most))

    drawn: list[Any] = [full_jitter(failures) for failures in (0, 1, 2, 6, 7, 60)]
    assert drawn == [(0, most) for most in (0.05, 0.1, 0.2, 3.2, 5.0, 5.0)]


def test_nothing_is_bridged_beyond_the_invocation() -> None:
    for seed in range(50):
        random.seed(seed)
        time, calls = Time(), list[float]()
        bridge = Bridge(20, is_transient, time.clock, time.sleep)
        bridge.within(lambda time=time: (6 - time.now) * 1000)  # type: ignore[misc]
        with pytest.raises(ClientError):
            bridge.over(failing(client_error("SlowDown", 503), 0, time, calls))()
        assert calls[-1] <= 5


def test_a_handlers_invocation_bounds_the_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge(20, is_transient, sleep=lambda _: None)
    monkeypatch.setattr(entry, "BRIDGE", bridge)
    calls: list[float] = []

    class Ended:
        def get_remaining_time_in_millis(self) -> int:
            return 500

    def act(*_: Any) -> None:
        bridge.over(failing(client_error("SlowDown", 503), 0, Time(), calls))()

    with pytest.raises(TransientError):
        entry.run_action({"action": "extract"}, Ended(), {"extract": act})
    assert len(calls) == 1
