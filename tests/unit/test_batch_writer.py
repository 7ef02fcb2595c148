import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.exceptions as botocore_errors
import pytest
import trustme
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError
from botocore.session import Session, get_session

from etl.aws.clients import dynamodb_client, is_transient
from etl.tables.batch_writer import BatchWriter, ClientBatchWriter, HttpBatchWriter, open_batch_writer
from tests.unit.wire_server import Reaction, Wire, answer, close, stay_silent, wire

BODY = b'{"RequestItems":{"destination":[{"PutRequest":{"Item":{"id":{"S":"\xc3\xa9"}}}}]}}'
UNDONE = b'{"UnprocessedItems":{"destination":[{"PutRequest":{"Item":{"id":{"S":"x"}}}}]}}'
Use = Callable[[BatchWriter, Wire], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_PROFILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


LOADER = get_session().get_component("data_loader")


def session_and_client() -> tuple[Session, Any]:
    """A session of this environment, as the function makes it; reading the models once is enough for all tests."""
    session = get_session()
    session.register_component("data_loader", LOADER)
    return session, dynamodb_client(session)


def over(kind: type[Any], use: Use, *reactions: Reaction, tls: ssl.SSLContext | None = None) -> Any:
    """What ``use`` makes of a writer to a server that reacts so."""

    async def talk() -> Any:
        async with wire(*reactions, tls=tls) as server:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
                session, client = session_and_client()
                async with kind(client) if kind is ClientBatchWriter else kind(session, client) as writer:
                    return await use(writer, server)

    return asyncio.run(asyncio.wait_for(talk(), 20))


async def send(writer: BatchWriter, _: Wire) -> bytes:
    return await writer.batch_write_item(BODY)


def sending(times: int) -> Use:
    async def use(writer: BatchWriter, server: Wire) -> Wire:
        for _ in range(times):
            await writer.batch_write_item(BODY)
        return server

    return use


def error_of(kind: type[Any], *reactions: Reaction) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is asked
        over(kind, send, *reactions)
    return caught.value


def error_answer(code: str, status: int = 400, message: str = "why") -> bytes:
    return answer(
        json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode(), status
    )


BOTH = pytest.mark.parametrize("kind", [HttpBatchWriter, ClientBatchWriter])


@BOTH
@pytest.mark.parametrize("body", [b'{"UnprocessedItems":{}}', UNDONE, b"x" * 2_000_000])
def test_the_answer_is_what_was_sent(kind: type[Any], body: bytes) -> None:
    assert over(kind, send, answer(body)) == body


@BOTH
def test_an_answer_in_chunks_is_put_together(kind: type[Any]) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n3\r\n   \r\n0\r\n\r\n"

    assert over(kind, send, chunked) == b"{}   "


def test_a_request_is_the_one_that_the_client_sends() -> None:
    async def use(writer: BatchWriter, server: Wire) -> Any:
        await writer.batch_write_item(BODY)
        return server.received[0]

    ours, clients = over(HttpBatchWriter, use, answer()), over(ClientBatchWriter, use, answer())

    assert ours.body == clients.body == BODY
    for name in ("content-type", "x-amz-target", "content-length", "accept-encoding", "user-agent"):
        assert ours.headers[name].split(" md/")[0] == clients.headers[name].split(" md/")[0]
    assert not {"x-amz-security-token", "x-amzn-trace-id"} & ours.headers.keys()


def test_the_trace_of_the_invocation_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3")
    server = over(HttpBatchWriter, sending(1), answer())

    assert server.received[0].headers["x-amzn-trace-id"] == "Root=1-2-3"


@pytest.mark.parametrize(
    "reaction",
    [
        error_answer("ThrottlingException"),
        error_answer("ProvisionedThroughputExceededException"),
        error_answer("AccessDeniedException"),
        error_answer("ValidationException", message="é"),
        error_answer("ResourceNotFoundException"),
        error_answer("ItemCollectionSizeLimitExceededException"),
        error_answer("SomethingNew"),
        error_answer("InternalServerError", 500),
        answer(b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","Message":"upper case"}', 400),
        answer(b"{}", 400),
        answer(b"", 503),
        answer(b"<html>later</html>", 503, content_type="text/html", x_amz_crc32=""),
        answer(b"gone", 302, x_amz_crc32=""),
        answer(b"", 413),
    ],
)
def test_errors_are_those_of_the_client(reaction: bytes) -> None:
    ours, clients = error_of(HttpBatchWriter, reaction), error_of(ClientBatchWriter, reaction)

    assert isinstance(ours, ClientError)
    assert isinstance(clients, ClientError)
    assert type(ours).__name__ == type(clients).__name__
    assert str(ours) == str(clients).replace(" (reached max retries: 0)", "")
    assert ours.response["Error"] == clients.response["Error"]
    assert ours.response["ResponseMetadata"]["HTTPStatusCode"] == clients.response["ResponseMetadata"]["HTTPStatusCode"]
    assert is_transient(ours) == is_transient(clients)


@BOTH
def test_a_changed_answer_is_an_error_that_passes(kind: type[Any]) -> None:
    error = error_of(kind, answer(x_amz_crc32="1"))

    assert isinstance(error, botocore_errors.ChecksumError)
    assert is_transient(error)


HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"


async def half(writer: asyncio.StreamWriter) -> None:
    writer.write(HALF)
    await writer.drain()
    writer.close()


@BOTH
@pytest.mark.parametrize("reaction", [close, half, b"no HTTP at all\r\n\r\n"])
def test_an_answer_that_does_not_arrive_whole_is_an_error_that_passes(kind: type[Any], reaction: Reaction) -> None:
    assert is_transient(error_of(kind, reaction))


def test_an_answer_that_is_not_http_ends_its_connection() -> None:
    async def use(writer: BatchWriter, server: Wire) -> int:
        with pytest.raises(botocore_errors.HTTPClientError, match="Expected HTTP/"):
            await writer.batch_write_item(BODY)
        await writer.batch_write_item(BODY)
        return server.connections

    assert over(HttpBatchWriter, use, b"no HTTP at all\r\n\r\n", answer()) == 2


def test_requests_one_after_the_other_share_a_connection() -> None:
    assert over(HttpBatchWriter, sending(5), answer()).connections == 1


def test_all_connections_are_closed_at_the_end() -> None:
    async def use(_: BatchWriter, server: Wire) -> bool:
        async with open_batch_writer(*session_and_client()) as other:
            await asyncio.gather(*(other.batch_write_item(BODY) for _ in range(3)))
            assert server.open == 3
        return await server.all_closed()

    assert over(HttpBatchWriter, use, answer())


def test_requests_side_by_side_have_connections_of_their_own_and_keep_them() -> None:
    async def use(writer: BatchWriter, server: Wire) -> int:
        for _ in range(3):
            await asyncio.gather(*(writer.batch_write_item(BODY) for _ in range(16)))
        return server.connections

    assert over(HttpBatchWriter, use, answer()) == 16


def test_an_answer_that_ends_the_connection_is_taken_at_its_word() -> None:
    assert over(HttpBatchWriter, sending(3), answer(connection="close")).connections == 3


async def answer_and_close(writer: asyncio.StreamWriter) -> None:
    writer.write(answer())
    writer.close()


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced() -> None:
    async def use(writer: BatchWriter, server: Wire) -> int:
        await writer.batch_write_item(BODY)
        await asyncio.sleep(0.05)
        await writer.batch_write_item(BODY)
        return server.connections

    assert over(HttpBatchWriter, use, answer_and_close, answer()) == 2


def test_a_kept_connection_that_closes_on_a_request_is_replaced_at_once() -> None:
    server = over(HttpBatchWriter, sending(2), answer(), close, answer())

    assert [received.connection for received in server.received] == [0, 0, 1]


def test_a_kept_connection_that_breaks_off_an_answer_is_an_error() -> None:
    async def use(writer: BatchWriter, server: Wire) -> int:
        await writer.batch_write_item(BODY)
        with pytest.raises(botocore_errors.ConnectionClosedError):
            await writer.batch_write_item(BODY)
        return len(server.received)

    assert over(HttpBatchWriter, use, answer(), half) == 2


async def answer_and_more(writer: asyncio.StreamWriter) -> None:
    writer.write(answer())
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.write(answer(b"nobody asked")[:20])
    await writer.drain()


def test_what_nobody_asked_for_is_not_taken_for_an_answer() -> None:
    async def use(writer: BatchWriter, server: Wire) -> tuple[bytes, int]:
        await writer.batch_write_item(BODY)
        await asyncio.sleep(0.1)
        return await writer.batch_write_item(BODY), server.connections

    assert over(HttpBatchWriter, use, answer_and_more, answer(UNDONE)) == (UNDONE, 2)


async def two_answers(writer: asyncio.StreamWriter) -> None:
    writer.write(answer() + answer(b"nobody asked"))
    await writer.drain()


def test_of_two_answers_to_a_request_the_first_counts() -> None:
    assert over(HttpBatchWriter, sending(2), two_answers).connections == 2


def test_an_answer_that_takes_too_long_is_an_error_and_ends_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etl.tables.connection._ANSWER_SECONDS", 0.1)

    async def use(writer: BatchWriter, server: Wire) -> int:
        with pytest.raises(botocore_errors.ReadTimeoutError) as error:
            await writer.batch_write_item(BODY)
        assert is_transient(error.value)
        assert await server.all_closed()
        await writer.batch_write_item(BODY)
        return server.connections

    assert over(HttpBatchWriter, use, stay_silent, answer()) == 2


def test_a_request_that_is_given_up_takes_its_connection_along() -> None:
    async def use(writer: BatchWriter, server: Wire) -> int:
        task = asyncio.create_task(send(writer, server))
        while not server.received:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await server.all_closed()
        await writer.batch_write_item(BODY)
        return server.connections

    assert over(HttpBatchWriter, use, stay_silent, answer()) == 2


def test_connecting_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.tables.batch_writer._CONNECT_SECONDS", 0.05)

    async def never(*_: Any, **__: Any) -> None:
        await asyncio.sleep(10)

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.create_connection", never)

    assert isinstance(error_of(HttpBatchWriter, answer()), botocore_errors.ConnectTimeoutError)


def test_a_server_that_is_not_there_is_an_error_that_passes() -> None:
    async def talk() -> None:
        async with wire(answer()) as server:
            url = server.url
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
            session, client = session_and_client()
        async with HttpBatchWriter(session, client) as writer:
            await writer.batch_write_item(BODY)

    with pytest.raises(botocore_errors.EndpointConnectionError) as error:
        asyncio.run(talk())
    assert is_transient(error.value)


def test_credentials_that_expire_are_renewed_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1, 100))

    def renewed() -> dict[str, str]:
        number = next(times)
        expiry = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        return {"access_key": f"key-{number}", "secret_key": "s", "token": f"token-{number}", "expiry_time": expiry}

    credentials = RefreshableCredentials.create_from_metadata(renewed(), renewed, "test")
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: credentials)
    server = over(HttpBatchWriter, sending(2), answer())
    tokens = [received.headers["x-amz-security-token"] for received in server.received]

    assert len(set(tokens)) == 2
    assert f"Credential={tokens[1].replace('token', 'key')}/" in server.received[1].headers["authorization"]


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: None)

    assert isinstance(error_of(HttpBatchWriter, answer()), botocore_errors.NoCredentialsError)


def opened(monkeypatch: pytest.MonkeyPatch, url: str = "https://dynamodb.eu-central-1.amazonaws.com") -> type[Any]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
    return type(open_batch_writer(*session_and_client()))


def test_the_channel_is_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened(monkeypatch) is HttpBatchWriter


def test_through_a_proxy_it_is_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    assert opened(monkeypatch) is ClientBatchWriter


def test_past_a_proxy_it_is_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "amazonaws.com")

    assert opened(monkeypatch) is HttpBatchWriter


def test_with_another_kind_of_signature_it_is_the_client() -> None:
    session, client = session_and_client()
    client.meta.config.signature_version = "v4a"

    assert type(open_batch_writer(session, client)) is ClientBatchWriter


def certificates(folder: Path) -> tuple[ssl.SSLContext, str]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return context, str(folder / "ca.pem")


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_over_tls_the_bundle_of_the_environment_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    context, bundle = certificates(tmp_path)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, bundle)

    assert over(HttpBatchWriter, sending(3), answer(), tls=context).connections == 1


def test_over_tls_a_stranger_is_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context, _ = certificates(tmp_path)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)

    with pytest.raises(botocore_errors.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        over(HttpBatchWriter, send, answer(), tls=context)


def test_an_answer_that_botocore_has_parsed_is_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.aws.raw_bodies._keep_raw_body", lambda *_, **__: None)

    assert (
        json.loads(over(ClientBatchWriter, send, answer(UNDONE)))["UnprocessedItems"]
        == json.loads(UNDONE)["UnprocessedItems"]
    )
