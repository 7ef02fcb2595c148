"""A server between a function and the emulator, which can delay, alter, refuse or break off any request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from urllib3 import HTTPConnectionPool, connection_from_url
from urllib3.exceptions import ClosedPoolError

from tests.serving import serving

HOST = "127.0.0.1"
HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "keep-alive")
# Of connections to the emulator; any further one is closed after its request.
MOST_KEPT = 100


class Answer(NamedTuple):
    """An answer of HTTP; a Content-Length that isn't the body's makes it one that is cut off."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Request:
    """A request of a function.

    Attributes:
        operation: of DynamoDB ("Scan"), or the method and the path of S3 ("PUT /bucket/key").
        body: its content.
        client: the function's end of the connection, "address:port"; no other process has it while it is open.
        forward: has the emulator answer it.
    """

    operation: str
    body: bytes
    client: str
    forward: Callable[[], Answer]


Behaviour = Callable[[Request], Answer | None]
"""Answers a request; None breaks the connection off."""


def dynamodb_error(code: str, message: str) -> Answer:
    """An error as DynamoDB answers it."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()
    return Answer(400, {"Content-Type": "application/x-amz-json-1.0"}, body)


class Numbering:
    """Numbers calls from 1, whichever thread makes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.last = 0

    def next(self) -> int:
        with self._lock:
            self.last += 1
            return self.last


@contextmanager
def interposer(variables: Mapping[str, str], behaviour: Behaviour) -> Iterator[str]:
    """Run such a server in front of the emulator; gives the URL for the function.

    Args:
        variables: those with which clients use the emulator.
        behaviour: may be called by several threads at once.
    """

    trusted = {"ca_certs": variables["AWS_CA_BUNDLE"]} if "AWS_CA_BUNDLE" in variables else {}

    class Handler(_Handler):
        behave = staticmethod(behaviour)
        pool = connection_from_url(variables["AWS_ENDPOINT_URL"], maxsize=MOST_KEPT, timeout=60, **trusted)

    with closing(Handler.pool), serving(Server((HOST, 0), Handler)) as url:
        yield url


class Relays:
    """Interposers that stay while their environment does: functions keep their processes when the behaviour changes."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Start none yet. `variables` are those with which clients use the emulator."""
        self._variables = variables
        self._urls: dict[tuple[str, str], str] = {}
        self._behaviours: dict[tuple[str, str], list[Behaviour]] = {}
        self._servers = ExitStack()

    def url(self, function: str, service: str) -> str:
        """The URL for a function's requests to a service."""
        line = function, service
        if line not in self._urls:
            self._urls[line] = self._servers.enter_context(interposer(self._variables, partial(self._behave, line)))
        return self._urls[line]

    @contextmanager
    def behaving(self, function: str, service: str, behaviour: Behaviour) -> Iterator[None]:
        """Answer these requests as `behaviour` says, in place of an outer one; otherwise the emulator answers them."""
        behaviours = self._behaviours.setdefault((function, service), [])
        behaviours.append(behaviour)
        try:
            yield
        finally:
            behaviours.pop()

    def _behave(self, line: tuple[str, str], request: Request) -> Answer | None:
        behaviours = self._behaviours.get(line)
        return behaviours[-1](request) if behaviours else request.forward()

    def close(self) -> None:
        """End the servers."""
        self._servers.close()


class Server(ThreadingHTTPServer):
    """A server that as many connections may reach at once as workers open together; it ends without its threads."""

    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    behave: Behaviour
    pool: HTTPConnectionPool
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ClosedPoolError):  # the function's process, or the test, is gone
            self.close_connection = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target", "")
        operation = target.partition(".")[2] or f"{self.command} {self.path.partition('?')[0]}"
        client = "{}:{}".format(*self.client_address)
        answer = self.behave(Request(operation, body, client, lambda: self._forward(body)))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        length = str(len(answer.body))
        for name, value in ({"Content-Length": length} | dict(answer.headers)).items():
            self.send_header(name, value)
            if name == "Content-Length" and value != length:
                self.close_connection = True
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 - http.server's names

    def _forward(self, body: bytes) -> Answer:
        """Hand the request on as it is, its signature's headers included, over a connection that is kept."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        answer = self.pool.urlopen(
            self.command, self.path, body, headers, retries=False, redirect=False, decode_content=False
        )
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return Answer(answer.status, kept, answer.data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""
