"""One HTTP connection to DynamoDB on an event loop. Its errors are those of botocore."""

import asyncio
from typing import NamedTuple, cast

import httptools
from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError

_ANSWER_SECONDS = 30


class Answer(NamedTuple):
    """An answer of HTTP; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, with at most one request at a time.

    Attributes:
        usable: whether another request can be sent.
        answering: whether a part of the answer has arrived.

    Args:
        endpoint: URL of the server, for error messages.
    """

    def __init__(self, endpoint: str) -> None:
        self.usable = False
        self.answering = False
        self._endpoint = endpoint
        self._answer: asyncio.Future[Answer] | None = None

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            HTTPClientError: the answer is late, incomplete or not HTTP, or there is none.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._parser = httptools.HttpResponseParser(self)
        self.answering = False
        self._transport.write(request)
        timer = answer.get_loop().call_later(_ANSWER_SECONDS, self._expire)
        try:
            return await answer
        finally:
            timer.cancel()
            if answer.cancelled() or not self.usable:
                self.close()

    def close(self) -> None:
        """Abandon the connection at once."""
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop calls this."""
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """The event loop calls this."""
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
        """The event loop calls this."""
        self.usable = False
        self._fail(ConnectionClosedError(endpoint_url=self._endpoint))

    def on_message_begin(self) -> None:
        """The parser calls this."""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser calls this."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """The parser calls this."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The parser calls this."""
        if self._answer is None or self._answer.done():
            self.close()  # nothing was asked
            return
        self.usable = self._parser.should_keep_alive()
        self._answer.set_result(Answer(self._parser.get_status_code(), self._headers, b"".join(self._body)))

    def _expire(self) -> None:
        self.close()
        self._fail(ReadTimeoutError(endpoint_url=self._endpoint))

    def _fail(self, error: Exception) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
