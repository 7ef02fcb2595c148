"""The server between functions and emulator: it keeps its connections, and no answer goes astray on them."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.pipeline.interposer import HOST, Answer, Behaviour, Relays, Request, Server, interposer
from tests.pipeline.pipeline import wait_for
from tests.serving import serving


class Echo(Server):
    """Answers a request with its path and its body; `/close` ends the connection afterwards, without saying so."""

    def __init__(self) -> None:
        self.connections = self.ended = 0
        super().__init__((HOST, 0), _EchoHandler)

    def verify_request(self, *_: Any) -> bool:
        self.connections += 1
        return True

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.ended += 1

    def has_ended(self, number: int) -> bool:
        return self.ended == number


class _EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.path.encode() + b" " + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.path == "/close"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    with serving(server):
        yield server


def post(url: str, path: str, body: bytes = b"") -> bytes:
    """Send a request over a connection of its own; gives the answer's body."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", path, body)
        return connection.getresponse().read()
    finally:
        connection.close()


def in_front_of(echo: Echo, behaviour: Behaviour) -> Any:
    return interposer({"AWS_ENDPOINT_URL": f"http://{HOST}:{echo.server_address[1]}"}, behaviour)


def test_a_connection_to_the_emulator_is_kept_whoever_asks(echo: Echo) -> None:
    with in_front_of(echo, lambda request: request.forward()) as url:
        answers = [post(url, f"/{n}", b"body") for n in range(5)]

    assert answers == [f"/{n} body".encode() for n in range(5)]
    assert echo.connections == 1


def test_one_that_the_emulator_has_closed_meanwhile_is_replaced(echo: Echo) -> None:
    with in_front_of(echo, lambda request: request.forward()) as url:
        for number in range(1, 4):
            assert post(url, "/close") == b"/close "
            wait_for("the end of the connection", partial(echo.has_ended, number), seconds=10)

    assert echo.connections == 3


def test_requests_side_by_side_get_their_own_answers(echo: Echo) -> None:
    with in_front_of(echo, lambda request: request.forward()) as url, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: post(url, f"/{n}", b"x" * n), range(200)))

    assert answers == [f"/{n} {'x' * n}".encode() for n in range(200)]
    assert echo.connections <= 16


def test_an_answer_that_is_lost_is_not_given_to_the_next_request(echo: Echo) -> None:
    def lose_the_first(request: Request) -> Answer | None:
        answer = request.forward()
        return None if request.operation == "POST /lost" else answer

    with in_front_of(echo, lose_the_first) as url:
        with pytest.raises(ConnectionError):
            post(url, "/lost")
        assert post(url, "/next") == b"/next "


def test_an_inner_behaviour_answers_in_place_of_an_outer_one(echo: Echo) -> None:
    def answers(body: bytes) -> Behaviour:
        return lambda request: request.forward()._replace(body=body)

    with closing(Relays({"AWS_ENDPOINT_URL": f"http://{HOST}:{echo.server_address[1]}"})) as relays:
        url = relays.url("load", "S3")
        with relays.behaving("load", "S3", answers(b"outer")):
            with relays.behaving("load", "S3", answers(b"inner")):
                inner = post(url, "/1")
            outer = post(url, "/2")
        none = post(url, "/3")

    assert (inner, outer, none) == (b"inner", b"outer", b"/3 ")


def test_a_request_that_is_forwarded_twice_is_answered_twice(echo: Echo) -> None:
    def twice(request: Request) -> Answer:
        first, second = request.forward(), request.forward()
        return Answer(200, {}, first.body + second.body)

    with in_front_of(echo, twice) as url:
        assert post(url, "/", b"a") == b"/ a/ a"


def test_a_request_tells_its_connection(echo: Echo) -> None:
    seen: list[str] = []

    def note(request: Request) -> Answer:
        seen.append(request.client)
        return request.forward()

    with in_front_of(echo, note) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        for _ in range(2):
            connection.request("POST", "/")
            connection.getresponse().read()
        own = "{}:{}".format(*connection.sock.getsockname())
        connection.close()
        post(url, "/")

    assert seen[:2] == [own, own]
    assert seen[2] != own
