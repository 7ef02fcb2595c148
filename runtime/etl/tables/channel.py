"""The way of a BatchWriteItem to DynamoDB: HTTP on an event loop, signed here.

A call of botocore's client costs several times what a batch costs to make, so Load sends its batches itself. What
decides about them stays botocore's: credentials and their renewal, endpoint, trusted certificates, and the errors.
:class:`ClientChannel` is the same by botocore's client, for what :class:`Channel` doesn't speak.
"""

import asyncio
import os
import ssl
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, cast
from urllib.parse import urlsplit

import httptools
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from botocore.parsers import create_parser
from botocore.session import Session
from botocore.utils import get_environ_proxies

from etl.aws.raw_bodies import check_crc32, raw_body, speaks_json
from etl.tables.signature import DEFAULT_PORTS, OPERATION, Signer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 30


class BatchWriter(Protocol):
    """Sends the body of a BatchWriteItem; what comes back is the body of its answer.

    It makes one attempt, and raises what botocore's client would raise.
    """

    async def batch_write_item(self, body: bytes) -> bytes:
        """Send one request."""
        ...


def open_channel(session: Session, client: "DynamoDBClient") -> AbstractAsyncContextManager[BatchWriter]:
    """A way to DynamoDB, to be used within the context.

    Args:
        session: where credentials and certificates come from.
        client: a client of the same session with hooks for raw bodies (``etl.aws.clients.dynamodb_client``); it knows
            the endpoint, and stands in where there is a proxy, another kind of signature or another protocol than JSON.

    Raises:
        NoCredentialsError: there are none.
    """
    signed_otherwise = client.meta.config.signature_version != "v4"  # type: ignore[attr-defined]
    if signed_otherwise or not speaks_json(client) or get_environ_proxies(client.meta.endpoint_url):
        return ClientChannel(client)
    return Channel(session, client)


class ClientChannel:
    """The client's own requests, each in a thread."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    async def __aenter__(self) -> Self:
        """Nothing is opened: the client has its own connections."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is closed."""

    async def batch_write_item(self, body: bytes) -> bytes:
        """Send one request."""
        return await asyncio.to_thread(self._send, body)

    def _send(self, body: bytes) -> bytes:
        return raw_body(self._client.batch_write_item(RequestItems={}, RawBody=body))  # type: ignore[call-arg]


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at most.

    Attributes:
        usable: whether another request can be sent.
        answering: whether a part of the answer has arrived.
    """

    def __init__(self, endpoint: str) -> None:
        self.usable = False
        self.answering = False
        self._endpoint = endpoint
        self._answer: asyncio.Future[_Answer] | None = None

    async def exchange(self, request: bytes) -> _Answer:
        """Send a request and wait for its answer.

        Raises:
            HTTPClientError: the answer didn't come, not in time or not whole, or isn't HTTP.
        """
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._parser = httptools.HttpResponseParser(self)
        self.answering = False
        self._transport.write(request)
        too_late = answer.get_loop().call_later(_ANSWER_SECONDS, self._expire)
        try:
            return await answer
        finally:
            too_late.cancel()
            if answer.cancelled() or not self.usable:
                self.close()

    def close(self) -> None:
        """Give the connection up at once."""
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._answer is None or self._answer.done():
            self.close()  # nothing was asked
            return
        self.answering = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            self._fail(HTTPClientError(error=error))

    def connection_lost(self, _: Exception | None) -> None:
        """Called by the event loop."""
        self.usable = False
        self._fail(ConnectionClosedError(endpoint_url=self._endpoint))

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._answer is None or self._answer.done():
            self.close()  # nothing was asked
            return
        self.usable = self._parser.should_keep_alive()
        self._answer.set_result(_Answer(self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def _expire(self) -> None:
        self.close()
        self._fail(ReadTimeoutError(endpoint_url=self._endpoint))

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)


class Channel:
    """Connections to DynamoDB, kept open between requests; a context manager that closes them."""

    def __init__(self, session: Session, client: "DynamoDBClient") -> None:
        self._client = client
        self._endpoint = client.meta.endpoint_url
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        more = {"user-agent": client.meta.config.user_agent, "accept-encoding": "identity"}  # type: ignore[attr-defined]
        if trace := os.environ.get("_X_AMZN_TRACE_ID"):  # of this invocation; set by Lambda
            more["x-amzn-trace-id"] = trace
        self._signer = Signer(self._endpoint, client.meta.region_name, credentials, more)
        url = urlsplit(self._endpoint)
        self._host, self._port = url.hostname or "", url.port or DEFAULT_PORTS[url.scheme]
        self._tls = _tls(_trusted(session)) if url.scheme == "https" else None
        self._idle: list[_Connection] = []

    async def __aenter__(self) -> Self:
        """Connections are opened as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections that are kept."""
        for connection in self._idle:
            connection.close()

    async def batch_write_item(self, body: bytes) -> bytes:
        """Send one request.

        Raises:
            ClientError: DynamoDB refused it; of the class that the client would raise.
            HTTPClientError: DynamoDB can't be reached, or its answer didn't arrive whole.
            ChecksumError: its answer was changed on the way.
        """
        answer = await self._exchange(self._signer.head(body) + body)
        check_crc32(answer.body, answer.headers)
        if answer.status >= 300:
            raise self._error(answer)
        return answer.body

    async def _exchange(self, request: bytes) -> _Answer:
        while True:
            kept = bool(self._idle)
            connection = self._idle.pop() if kept else await self._connect()
            if not connection.usable:
                continue
            try:
                answer = await connection.exchange(request)
            except ConnectionClosedError:
                # One that was kept may have been closed at the other end just before: that is no failure.
                if kept and not connection.answering:
                    continue
                raise
            if connection.usable:
                self._idle.append(connection)
            return answer

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._endpoint), self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise ConnectTimeoutError(endpoint_url=self._endpoint) from None
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._endpoint, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self._endpoint, error=error) from error
        return connection

    def _error(self, answer: _Answer) -> Exception:
        """What the client would raise for this answer."""
        shape: Any = self._client.meta.service_model.operation_model(OPERATION).output_shape
        response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
        parsed: Any = create_parser("json").parse(response, shape)
        exceptions: Any = self._client.exceptions
        error: Exception = exceptions.from_code(parsed["Error"]["Code"])(parsed, OPERATION)
        return error


def _trusted(session: Session) -> Any:
    """What botocore trusts: the bundle of the environment or of the profile, else its own."""
    return get_cert_path(session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True)  # type: ignore[arg-type]


@cache
def _tls(trusted: str) -> ssl.SSLContext:
    """Made once: reading the certificates takes as long as thousands of records."""
    return ssl.create_default_context(cafile=trusted)
