"""A server on 127.0.0.1 that reads HTTP requests and does to each connection what a test writes down."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from zlib import crc32

Reaction = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """One request: the number of its connection, its headers by lower-case name, its body."""

    connection: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """The server.

    Attributes:
        url: where it listens.
        reactions: its reaction to each request; the last goes on for ever.
        received: the requests so far.
        connections: how many were opened.
        open: how many of them are still open.
    """

    reactions: list[Reaction]
    url: str = ""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        number = self.connections
        self.connections += 1
        self.open += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = (line.partition(": ") for line in head.splitlines()[1:-1])
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                self.received.append(Received(number, headers, body))
                reaction = self.reactions.pop(0) if len(self.reactions) > 1 else self.reactions[0]
                if isinstance(reaction, bytes):
                    writer.write(reaction)
                    await writer.drain()
                else:
                    await reaction(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def all_closed(self) -> bool:
        """Whether the other side closes its connections within a second."""
        for _ in range(100):
            if not self.open:
                return True
            await asyncio.sleep(0.01)
        return False


@asynccontextmanager
async def wire(*reactions: Reaction, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Serve while the context lasts."""
    state = Wire(list(reactions))
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    state.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()


def answer(body: bytes = b'{"UnprocessedItems":{}}', status: int = 200, **headers: str) -> bytes:
    """An answer of DynamoDB as it goes over the wire."""
    given = {"content_length": str(len(body)), "x_amz_crc32": str(crc32(body))} | headers
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value)
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + body


async def close(writer: asyncio.StreamWriter) -> None:
    """End the connection without an answer."""
    writer.close()


async def stay_silent(_: asyncio.StreamWriter) -> None:
    """Leave the request without an answer."""
