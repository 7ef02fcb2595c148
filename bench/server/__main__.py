"""The server's process: `python -m bench.server FOLDER` prints its two ports, for HTTPS and HTTP, and serves."""

import asyncio
import json
import ssl
import sys
from pathlib import Path

from bench.server.certificate import make_certificate
from bench.server.dynamodb import DynamoDb
from bench.server.http import HttpProtocol, Request, Response
from bench.server.s3 import S3


class Server:
    """The server of one run of a variant; ``/_bench/setup`` empties it, ``/_bench/counts`` returns its counts."""

    def __init__(self) -> None:
        self._dynamodb, self._s3, self.latency_seconds = DynamoDb(), S3(), 0.0

    def answer(self, request: Request) -> Response:
        """Answer any request."""
        if b"x-amz-target" in request.headers:
            return self._dynamodb.answer(request)
        if request.target == "/_bench/setup":
            return self._setup(json.loads(request.body))
        if request.target == "/_bench/counts":
            return Response(body=(json.dumps(self._counts()).encode(),))
        return self._s3.answer(request)

    def _setup(self, asked: dict[str, object]) -> Response:
        """Start afresh: ``{"table": DynamoDb's arguments, "latency_ms": …, "objects": [[key, kind, records]]}``."""
        self._dynamodb, self._s3 = DynamoDb(**asked["table"]), S3()  # type: ignore[arg-type]
        self.latency_seconds = float(asked["latency_ms"]) / 1000  # type: ignore[arg-type]
        sizes = [self._s3.give(*each) for each in asked["objects"]]  # type: ignore[attr-defined]
        return Response(body=(json.dumps(sizes).encode(),))

    def _counts(self) -> dict[str, object]:
        stored = self._s3.stored.values()
        samples = [each.sample for each in stored if each.records]
        return {
            "scanned": self._dynamodb.scanned,
            "staged": sum(each.records for each in stored),
            "staged_bytes": sum(each.size for each in stored),
            "written": self._dynamodb.written,
            "write_requests": self._dynamodb.requests,
            "sample": (self._dynamodb.sample or (samples[0] if samples else b"")).decode(errors="replace"),
        }


async def serve(folder: Path) -> None:
    """Serve on two free ports until the standard input ends."""
    loop, server = asyncio.get_running_loop(), Server()
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def protocol() -> HttpProtocol:
        return HttpProtocol(server.answer, lambda: server.latency_seconds)

    secure = await loop.create_server(protocol, "127.0.0.1", 0, ssl=context, backlog=256)
    plain = await loop.create_server(protocol, "127.0.0.1", 0, backlog=256)
    ports = [each.sockets[0].getsockname()[1] for each in (secure, plain)]
    print(json.dumps({"https": ports[0], "http": ports[1], "certificate": str(certificate)}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # the runner's end is this process's end


def main() -> None:
    """Run on uvloop where there is one."""
    if sys.platform == "win32":
        asyncio.run(serve(Path(sys.argv[1])))
    else:
        import uvloop

        uvloop.run(serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
