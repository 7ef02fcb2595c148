"""A bucket on disk, as far as the stages and the command use S3."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from bench.server.s3 import unchunked

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Objects:
    """Objects of one bucket, each a file of its own."""

    folder: Path
    etags: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request of the path style."""
        parts = urlsplit(target)
        key = unquote(parts.path).lstrip("/").partition("/")[2]
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if method == "GET":
            return self._get(key, headers) if key else self._list(query.get("prefix", ""))
        if method == "DELETE":
            self.uploads.pop(query.get("uploadId", ""), None)
            return Answer(status=204)
        if method == "POST" and "uploads" in query:
            self.uploads[key] = {}
            return _xml("InitiateMultipartUploadResult", f"<Key>{escape(key)}</Key><UploadId>{escape(key)}</UploadId>")
        if method == "POST":
            uploaded = self.uploads.pop(query["uploadId"])
            tag = self.keep(key, b"".join(uploaded[number] for number in sorted(uploaded)))
            return _xml("CompleteMultipartUploadResult", f"<Key>{escape(key)}</Key><ETag>{escape(tag)}</ETag>")
        content = unchunked(body) if "aws-chunked" in headers.get("Content-Encoding", "") else body
        if "partNumber" in query:
            self.uploads[query["uploadId"]][int(query["partNumber"])] = content
            return Answer(headers={"ETag": '"part"'})
        taken = headers.get("If-None-Match") == "*" and key in self.etags
        return _error(412, "PreconditionFailed") if taken else Answer(headers={"ETag": self.keep(key, content)})

    def remove(self) -> None:
        """Remove all of them."""
        for key in self.etags:
            self._file(key).unlink()
        self.etags.clear()

    def keep(self, key: str, content: bytes) -> str:
        """Keep an object; its ETag."""
        self._file(key).write_bytes(content)
        self.etags[key] = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        return self.etags[key]

    def _file(self, key: str) -> Path:
        return self.folder / hashlib.sha256(key.encode()).hexdigest()

    def _get(self, key: str, headers: Mapping[str, str]) -> Answer:
        tag = self.etags.get(key)
        if tag is None:
            return _error(404, "NoSuchKey")
        if headers.get("If-Match", tag) != tag:
            return _error(412, "PreconditionFailed")
        size, span = self._file(key).stat().st_size, _RANGE.fullmatch(headers.get("Range", ""))
        found = {"ETag": tag, "Last-Modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
        if not span:
            return Answer(self._file(key).read_bytes(), headers=found)
        start, end = int(span[1]), min(size, int(span[2]) + 1)
        if start >= size:
            return _error(416, "InvalidRange")
        with self._file(key).open("rb") as file:
            file.seek(start)
            body = file.read(end - start)
        return Answer(body, 206, found | {"Content-Range": f"bytes {start}-{end - 1}/{size}"})

    def _list(self, prefix: str) -> Answer:
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{self._file(key).stat().st_size}</Size><ETag>{escape(tag)}</ETag>"
            "<LastModified>2026-11-22T00:00:00.000Z</LastModified></Contents>"
            for key, tag in sorted(self.etags.items())
            if key.startswith(prefix)
        )
        return _xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{rows}")


def _xml(name: str, content: str, status: int = 200) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'
    return Answer(body.encode(), status, {"Content-Type": "application/xml"})


def _error(status: int, code: str) -> Answer:
    return _xml("Error", f"<Code>{code}</Code><Message>{code}</Message>", status)
