"""An S3 client in memory: ranges, conditional puts, multipart uploads, and the errors of each."""
# ruff: noqa: N803 - the names of arguments are those of AWS

import hashlib
import io
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from botocore.response import StreamingBody

from tests.fakes.faults import Faults, client_error

_LEAST_PART = 5 * 1024 * 1024


class _FailingBody:
    """A body whose connection breaks when it is read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self) -> bytes:
        raise self._error


class FakeS3:
    """One bucket.

    Attributes:
        objects: bodies by key.
        types: content types by key.
        uploads: multipart uploads that are open: key and parts by id.
        ranges: the Range of every GetObject but those of seals, in their order.
        body_errors: errors that the next bodies raise when they are read.
    """

    def __init__(self, bucket: str = "staging", faults: Faults | None = None) -> None:
        self.bucket = bucket
        self.objects: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.ranges: list[str | None] = []
        self.body_errors: list[Exception] = []
        self.faults = faults or Faults()
        self._lock = threading.Lock()

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, **more: str) -> dict[str, Any]:
        with self.faults.call("PutObject"), self._lock:
            self._check_bucket(Bucket, "PutObject")
            if more.pop("IfNoneMatch", "") == "*" and Key in self.objects:
                raise client_error("PreconditionFailed", 412, operation="PutObject")
            assert not more, more
            assert type(Body) is bytes
            self.objects[Key], self.types[Key] = Body, ContentType
            return {"ETag": etag(Body)}

    def get_object(
        self, *, Bucket: str, Key: str, Range: str | None = None, IfMatch: str | None = None
    ) -> dict[str, Any]:
        with self.faults.call("GetObject"):
            if not Key.startswith("seals/"):
                self.ranges.append(Range)
            self._check_bucket(Bucket, "GetObject")
            if Key not in self.objects:
                raise client_error("NoSuchKey", 404, operation="GetObject")
            body, answer = self.objects[Key], {}
            if IfMatch is not None and IfMatch != etag(body):
                raise client_error("PreconditionFailed", 412, operation="GetObject")
            if Range is not None:
                match = re.fullmatch(r"bytes=(\d+)-(\d+)", Range)
                assert match, Range
                first, last = int(match[1]), min(int(match[2]), len(body) - 1)
                if first >= len(body):
                    raise client_error("InvalidRange", 416, operation="GetObject")
                answer["ContentRange"] = f"bytes {first}-{last}/{len(body)}"
                body = body[first : last + 1]
            if self.body_errors:
                return answer | {"Body": _FailingBody(self.body_errors.pop(0))}
            return answer | {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentLength": len(body)}

    def create_multipart_upload(
        self, *, Bucket: str, Key: str, ContentType: str, ChecksumAlgorithm: str
    ) -> dict[str, Any]:
        with self.faults.call("CreateMultipartUpload"):
            assert ChecksumAlgorithm == "CRC32"
            self._check_bucket(Bucket, "CreateMultipartUpload")
            upload_id = f"upload-{len(self.faults.calls)}"
            self.uploads[upload_id] = (Key, {})
            self.types[Key] = ContentType
            return {"UploadId": upload_id}

    def upload_part(
        self, *, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes, ChecksumCRC32: str
    ) -> dict[str, Any]:
        with self.faults.call("UploadPart"):
            assert ChecksumCRC32 == _checksum(Body)
            self._parts_of(Bucket, Key, UploadId, "UploadPart")[PartNumber] = Body
            return {"ETag": etag(Body), "ChecksumCRC32": _checksum(Body)}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, MultipartUpload: dict[str, Any]
    ) -> dict[str, Any]:
        with self.faults.call("CompleteMultipartUpload"):
            parts = self._parts_of(Bucket, Key, UploadId, "CompleteMultipartUpload")
            expected = [
                {"PartNumber": number, "ETag": etag(body), "ChecksumCRC32": _checksum(body)}
                for number, body in sorted(parts.items())
            ]
            if MultipartUpload["Parts"] != expected:
                raise client_error("InvalidPart", operation="CompleteMultipartUpload")
            bodies = [body for _, body in sorted(parts.items())]
            if any(len(body) < _LEAST_PART for body in bodies[:-1]):
                raise client_error("EntityTooSmall", operation="CompleteMultipartUpload")
            self.objects[Key] = b"".join(bodies)
            del self.uploads[UploadId]
            return {"ETag": etag(self.objects[Key])}

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        """The keys with a prefix, two a page."""
        with self.faults.call("ListObjectsV2"):
            self._check_bucket(Bucket, "ListObjectsV2")
            found = sorted(key for key in self.objects if key.startswith(Prefix))
        yield from ({"Contents": [{"Key": key} for key in found[n : n + 2]]} for n in range(0, len(found), 2))
        if not found:
            yield {}

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> dict[str, Any]:
        with self.faults.call("AbortMultipartUpload"):
            self._parts_of(Bucket, Key, UploadId, "AbortMultipartUpload")
            del self.uploads[UploadId]
            return {}

    def _parts_of(self, bucket: str, key: str, upload_id: str, operation: str) -> dict[int, bytes]:
        self._check_bucket(bucket, operation)
        if self.uploads.get(upload_id, ("", {}))[0] != key:
            raise client_error("NoSuchUpload", 404, operation=operation)
        return self.uploads[upload_id][1]

    def _check_bucket(self, bucket: str, operation: str) -> None:
        if bucket != self.bucket:
            raise client_error("NoSuchBucket", 404, operation=operation)


def etag(body: bytes) -> str:
    """The entity tag of an object."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _checksum(body: bytes) -> str:
    return b64encode(crc32(body).to_bytes(4)).decode()
