"""Sends a BatchWriteItem to DynamoDB: HTTP on an event loop, signed here.

A call of botocore's client costs several times as much as the batch itself, so Load sends its batches without it.
botocore still decides about them: credentials and their renewal, endpoint, trusted certificates, and the errors.
:class:`ClientBatchWriter` sends by botocore's client where :class:`HttpBatchWriter` can't.
"""

import asyncio
import os
import ssl
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import urlsplit

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from botocore.parsers import create_parser
from botocore.session import Session
from botocore.utils import get_environ_proxies

from etl.aws.raw_bodies import check_crc32, raw_body, speaks_json
from etl.tables.connection import Answer, Connection
from etl.tables.signature import DEFAULT_PORTS, OPERATION, Signer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONNECT_SECONDS = 5


class BatchWriter(Protocol):
    """Sends the body of a BatchWriteItem and returns the body of the answer.

    It makes one attempt, and raises the errors of botocore's client.
    """

    async def batch_write_item(self, body: bytes) -> bytes:
        """Send one request."""
        ...


def open_batch_writer(session: Session, client: "DynamoDBClient") -> AbstractAsyncContextManager[BatchWriter]:
    """Open a way to DynamoDB, for use within the context.

    Args:
        session: the source of credentials and certificates.
        client: a client of the same session with hooks for raw bodies (``etl.aws.clients.dynamodb_client``). It knows
            the endpoint. It also sends the batches if there is a proxy, another kind of signature or another protocol.

    Raises:
        NoCredentialsError: there are none.
    """
    signed_otherwise = client.meta.config.signature_version != "v4"  # type: ignore[attr-defined]
    if signed_otherwise or not speaks_json(client) or get_environ_proxies(client.meta.endpoint_url):
        return ClientBatchWriter(client)
    return HttpBatchWriter(session, client)


class ClientBatchWriter:
    """Sends by botocore's client, each request in a thread."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client

    async def __aenter__(self) -> Self:
        """Open nothing: the client has its own connections."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close nothing."""

    async def batch_write_item(self, body: bytes) -> bytes:
        """Send one request."""
        return await asyncio.to_thread(self._send, body)

    def _send(self, body: bytes) -> bytes:
        return raw_body(self._client.batch_write_item(RequestItems={}, RawBody=body))  # type: ignore[call-arg]


class HttpBatchWriter:
    """Sends by connections of its own, kept open between requests; a context manager that closes them."""

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
        self._idle: list[Connection] = []

    async def __aenter__(self) -> Self:
        """Open nothing yet: connections are opened as they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections that are kept."""
        for connection in self._idle:
            connection.close()

    async def batch_write_item(self, body: bytes) -> bytes:
        """Send one request.

        Raises:
            ClientError: DynamoDB refused it; the class is the client's own.
            HTTPClientError: DynamoDB can't be reached, or its answer didn't arrive whole.
            ChecksumError: its answer was changed on the way.
        """
        answer = await self._exchange(self._signer.head(body) + body)
        check_crc32(answer.body, answer.headers)
        if answer.status >= 300:
            raise self._error(answer)
        return answer.body

    async def _exchange(self, request: bytes) -> Answer:
        while True:
            kept = bool(self._idle)
            connection = self._idle.pop() if kept else await self._connect()
            if not connection.usable:
                continue
            try:
                answer = await connection.exchange(request)
            except ConnectionClosedError:
                # DynamoDB may have closed a kept connection just before: that is no failure.
                if kept and not connection.answering:
                    continue
                raise
            if connection.usable:
                self._idle.append(connection)
            return answer

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._endpoint), self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise ConnectTimeoutError(endpoint_url=self._endpoint) from None
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._endpoint, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self._endpoint, error=error) from error
        return connection

    def _error(self, answer: Answer) -> Exception:
        """The client's own error for this answer."""
        shape: Any = self._client.meta.service_model.operation_model(OPERATION).output_shape
        response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
        parsed: Any = create_parser("json").parse(response, shape)
        exceptions: Any = self._client.exceptions
        error: Exception = exceptions.from_code(parsed["Error"]["Code"])(parsed, OPERATION)
        return error


def _trusted(session: Session) -> Any:
    """The certificates that botocore trusts: the bundle of the environment or of the profile, else its own."""
    return get_cert_path(session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True)  # type: ignore[arg-type]


@cache
def _tls(trusted: str) -> ssl.SSLContext:
    """A context of TLS, made once: reading the certificates takes as long as thousands of records."""
    return ssl.create_default_context(cafile=trusted)
