"""X-Ray's daemon, as a function's sandbox has it: a socket for datagrams."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Daemon:
    """Called, it gives the next document that it was sent; `address` is where it listens."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        host, port = channel.getsockname()
        self.address = f"{host}:{port}"

    def __call__(self) -> dict[str, Any]:
        header, _, body = self._channel.recv(65536).partition(b"\n")
        assert json.loads(header) == {"format": "json", "version": 1}
        document: dict[str, Any] = json.loads(body)
        return document

    @property
    def silent(self) -> bool:
        """Whether nothing has come that wasn't taken."""
        self._channel.settimeout(0.05)
        try:
            return not self._channel.recv(65536)
        except TimeoutError:
            return True


@contextmanager
def daemon() -> Iterator[Daemon]:
    """A daemon on a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        channel.settimeout(10)
        yield Daemon(channel)
