"""HTTP/1.1 over asyncio and httptools: requests in, prebuilt answers out."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools


class Request(NamedTuple):
    """One request; the names of the headers are in lower case."""

    method: bytes
    target: str
    headers: dict[bytes, bytes]
    body: bytes


class Response(NamedTuple):
    """One answer: status, lines of headers without their last line break, and the pieces of the body."""

    status: int = 200
    headers: bytes = b""
    body: tuple[bytes | memoryview, ...] = ()


_REASONS = {200: b"OK", 204: b"No Content", 206: b"Partial Content", 400: b"Bad Request", 404: b"Not Found"}
_SMALL = 64 * 1024


class HttpProtocol(asyncio.Protocol):
    """One connection.

    Args:
        answer: makes the answer to a request.
        latency: tells how long an answer is held back, in seconds.
    """

    def __init__(self, answer: Callable[[Request], Response], latency: Callable[[], float]) -> None:
        self._answer = answer
        self._latency = latency
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the transport: an answer that is still held back has nowhere to go."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the methods below."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Start afresh; the parser calls it at the beginning of a request."""
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Let a client go on that asks before it sends its body."""
        if self._transport and b"expect" in self._headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        """Answer, at once or after the latency."""
        request = Request(self._parser.get_method(), self._target.decode(), self._headers, b"".join(self._chunks))
        response = self._answer(request)
        if seconds := self._latency():
            asyncio.get_running_loop().call_later(seconds, self._send, request, response)
        else:
            self._send(request, response)

    def _send(self, request: Request, response: Response) -> None:
        if self._transport is None:
            return
        length = sum(map(len, response.body))
        head = b"HTTP/1.1 %d %s\r\n%s" % (response.status, _REASONS.get(response.status, b"Error"), response.headers)
        if b"content-length:" not in response.headers:
            head += b"content-length: %d\r\n" % length
        head += b"\r\n"
        if request.method == b"HEAD":
            self._transport.write(head)
        elif length < _SMALL:
            self._transport.write(head + b"".join(response.body))
        else:
            self._transport.writelines([head, *response.body])
