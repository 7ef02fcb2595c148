"""AWS on 127.0.0.1, as far as the stages and the command use it: two tables that take no memory, and a bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zlib import crc32

from tests.memory.items import Items, RefusalError
from tests.memory.objects import Answer, Objects
from tests.serving import serving

SOURCE, DESTINATION, BUCKET = "source", "destination", "staging"


class Aws:
    """The server.

    Attributes:
        objects: the bucket.
        items: the two tables.
        answers: the bodies of other answers, by the header X-Amz-Target without its version, or by the action.
        url: where it listens.
    """

    def __init__(self, folder: Path) -> None:
        self.objects = Objects(folder)
        self.items = Items([], 0)
        self.answers: dict[str, Any] = {}
        self.url = ""

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        """Answer any request."""
        operation = headers.get("X-Amz-Target", "").partition(".")[2]
        if target.endswith("/configuration"):  # of a function, by Lambda's own protocol
            operation = "GetFunctionConfiguration"
        if not operation and target != "/":
            return self.objects.answer(method, target, headers, body)
        try:
            found = self._found(operation, body)
        except RefusalError as error:
            message = {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": str(error)}
            return _json(json.dumps(message).encode(), 400)
        return found if isinstance(found, Answer) else _json(found)

    def _found(self, operation: str, body: bytes) -> bytes | Answer:
        if operation == "BatchWriteItem":
            return self.items.write(body)
        request = json.loads(body) if body and operation else {}
        if operation == "Scan":
            return self.items.scan(request)
        if operation == "BatchGetItem":
            return self.items.batch_get(request)
        if operation == "GetItem" and request["TableName"] == SOURCE:
            return self.items.get(request["Key"])
        answer = self.answers.get(operation, {})
        answer = answer(request) if callable(answer) else answer
        return answer if isinstance(answer, (bytes, Answer)) else json.dumps(answer).encode()


@contextmanager
def aws(folder: Path) -> Iterator[Aws]:
    """Answer while the context lasts."""
    state = Aws(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = state.answer(self.command, self.path, self.headers, body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do  # noqa: N815 - the names are the base's

        def handle_expect_100(self) -> bool:
            self.send_response_only(100)
            self.end_headers()
            return True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with serving(server) as state.url:
        yield state


def _json(body: bytes, status: int = 200) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(crc32(body))}
    return Answer(body, status, headers)
