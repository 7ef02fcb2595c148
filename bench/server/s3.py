"""S3, as far as the variants use it: staged arrays of any length to read, uploads that are counted and let go."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from bench.dataset import plain_lines, raw_lines, transformed_lines
from bench.server.http import Request, Response
from bench.shaped_lines import shaped_lines

_RANGE = re.compile(rb"bytes=(\d+)-(\d*)")
_RECORD = b'"id"'
_KEPT = 64 * 1024
# Of every object that is read here.
_ETAG = '"bench"'
_LINES = {"raw": raw_lines, "plain": plain_lines, "transformed": transformed_lines}


class RepeatedArray:
    """A staged array of any number of records, which repeats the distinct ones.

    Args:
        lines: the distinct records.
        count: number of records.
    """

    def __init__(self, lines: list[bytes], count: int) -> None:
        rounds, rest = divmod(count, len(lines))
        if rounds and not rest:
            rounds, rest = rounds - 1, len(lines)
        unit = b",\n".join(lines) + b",\n"
        self._pieces = [(b"[\n", 1), (unit, rounds), (b",\n".join(lines[:rest]) + b"\n]\n", 1)]
        self.size = sum(len(data) * times for data, times in self._pieces)

    def read(self, start: int, stop: int) -> Iterator[memoryview]:
        """The bytes from ``start`` up to ``stop``, in pieces."""
        offset = 0
        for data, times in self._pieces:
            end = offset + len(data) * times
            at, until = max(start, offset), min(stop, end)
            while at < until:
                inside = (at - offset) % len(data)
                take = min(until - at, len(data) - inside)
                yield memoryview(data)[inside : inside + take]
                at += take
            offset = end


@dataclass
class _Part:
    """The counts of an upload, and its edges, because a record's mark may span two parts."""

    size: int
    records: int
    head: bytes
    tail: bytes
    sample: bytes


@dataclass
class _Stored:
    """An object that was uploaded; the bytes of a small one are kept."""

    size: int
    records: int
    sample: bytes
    body: bytes | None = None


@dataclass
class S3:
    """A bucket, for one run of a variant."""

    given: dict[str, RepeatedArray] = field(default_factory=dict)
    stored: dict[str, _Stored] = field(default_factory=dict)
    read_bytes: int = 0
    _uploads: dict[str, dict[int, _Part]] = field(default_factory=dict)

    def give(self, key: str, kind: str, records: int, shape: str = "") -> int:
        """Put a staged array there to be read, and the seal that our stages ask for.

        Args:
            key: its key.
            kind: raw, plain or transformed.
            records: how many records it has.
            shape: name of their shape; empty for those of ``bench.dataset``.

        Returns:
            Its size in bytes.
        """
        self.given[key] = RepeatedArray(shaped_lines(shape, kind) if shape else _LINES[kind](), records)
        seal = json.dumps({"etag": _ETAG, "records": records}).encode()
        self.stored[f"seals/{key}"] = _Stored(len(seal), 0, seal, seal)
        return self.given[key].size

    def answer(self, request: Request) -> Response:
        """Answer a request to S3, in the path style."""
        parts = urlsplit(request.target)
        key = unquote(parts.path).lstrip("/").partition("/")[2]
        query = parse_qs(parts.query, keep_blank_values=True)
        if request.method in (b"GET", b"HEAD"):
            return self._get(key, request) if key else self._list(query.get("prefix", [""])[0])
        if request.method == b"PUT":
            return self._put(key, query, request)
        if request.method == b"POST" and "uploads" in query:
            return self._create(key)
        if request.method == b"POST":
            return self._complete(key, query["uploadId"][0])
        self._uploads.pop(query.get("uploadId", [""])[0], None)
        return Response(204)

    def _get(self, key: str, request: Request) -> Response:
        array, stored = self.given.get(key), self.stored.get(key)
        if array is None and stored is None:
            return _error(404, "NoSuchKey")
        size = array.size if array else stored.size if stored else 0
        span = _RANGE.match(request.headers.get(b"range", b""))
        start = int(span[1]) if span else 0
        stop = min(size, int(span[2] or size) + 1) if span else size
        if start >= size > 0:
            return _error(416, "InvalidRange")
        headers = b"etag: %s\r\n" % _ETAG.encode()
        headers += b"last-modified: Sun, 22 Nov 2026 00:00:00 GMT\r\ncontent-type: application/json\r\n"
        headers += b"content-length: %d\r\naccept-ranges: bytes\r\n" % (stop - start)
        if span:
            headers += b"content-range: bytes %d-%d/%d\r\n" % (start, stop - 1, size)
        self.read_bytes += stop - start
        pieces: tuple[bytes | memoryview, ...] = ()
        if array:
            pieces = tuple(array.read(start, stop))
        elif stored and stored.body:
            pieces = (stored.body[start:stop],)
        return Response(206 if span else 200, headers, pieces)

    def _list(self, prefix: str) -> Response:
        sizes = {key: array.size for key, array in self.given.items()} | {k: o.size for k, o in self.stored.items()}
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>bench</ETag>"
            "<LastModified>2026-11-22T00:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
            for key, size in sorted(sizes.items())
            if key.startswith(prefix)
        )
        return _xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{rows}")

    def _put(self, key: str, query: dict[str, list[str]], request: Request) -> Response:
        if b"if-none-match" in request.headers and key in self.stored:
            return _error(412, "PreconditionFailed")
        chunked = b"aws-chunked" in request.headers.get(b"content-encoding", b"")
        body = unchunked(request.body) if chunked else request.body
        part = _Part(len(body), body.count(_RECORD), body[:3], body[-3:], body[:4096])
        if "partNumber" in query:
            self._uploads[query["uploadId"][0]][int(query["partNumber"][0])] = part
        else:
            self.stored[key] = _Stored(part.size, part.records, part.sample, body if len(body) <= _KEPT else None)
        tag = hashlib.md5(body[:64], usedforsecurity=False).hexdigest()
        return Response(200, b'etag: "%s"\r\n' % tag.encode())

    def _create(self, key: str) -> Response:
        upload = f"upload-{len(self._uploads)}-{len(self.stored)}"
        self._uploads[upload] = {}
        return _xml("InitiateMultipartUploadResult", f"<Key>{escape(key)}</Key><UploadId>{upload}</UploadId>")

    def _complete(self, key: str, upload: str) -> Response:
        parts = [part for _, part in sorted(self._uploads.pop(upload).items())]
        edges = sum((left.tail + right.head).count(_RECORD) for left, right in pairwise(parts))
        records = sum(part.records for part in parts) + edges
        self.stored[key] = _Stored(sum(part.size for part in parts), records, parts[0].sample)
        return _xml("CompleteMultipartUploadResult", f"<Key>{escape(key)}</Key><ETag>bench</ETag>")


def unchunked(body: bytes) -> bytes:
    """A body of Content-Encoding aws-chunked without its frames. Source: S3 API reference, "aws-chunked"."""
    chunks: list[bytes] = []
    at = 0
    while True:
        line = body.index(b"\r\n", at)
        size = int(body[at:line].partition(b";")[0], 16)
        if not size:
            return b"".join(chunks)
        chunks.append(body[line + 2 : line + 2 + size])
        at = line + 2 + size + 2


def _xml(name: str, content: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'.encode()
    return Response(200, b"content-type: application/xml\r\n", (body,))


def _error(status: int, code: str) -> Response:
    return _xml("Error", f"<Code>{code}</Code><Message>{code}</Message>")._replace(status=status)
