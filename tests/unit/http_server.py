"""An endpoint of DynamoDB or S3 on 127.0.0.1 whose answers a test writes down."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from zlib import crc32

from tests.serving import serving


@dataclass
class Answer:
    """The endpoint's answer to one request; ``length`` other than the body's breaks the answer off.

    Its ``headers`` are those of JSON unless they are others.
    """

    body: bytes
    status: int = 200
    crc: int | None = None
    length: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/x-amz-json-1.0"})


@dataclass
class Endpoint:
    """The endpoint.

    Attributes:
        answers: one a request; the last stays.
        requests: headers and body of each request.
    """

    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def endpoint(*answers: Answer) -> Iterator[Endpoint]:
    """Serve these answers while the context lasts."""
    state = Endpoint(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.requests.append((dict(self.headers), body))
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
            self.send_header("x-amz-crc32", str(crc32(answer.body) if answer.crc is None else answer.crc))
            self.send_header("x-amzn-RequestId", "request")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_HEAD = do_PUT = do_POST  # noqa: N815 - the names are the base's

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base's
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as state.url:
        yield state
