"""Writes staged objects: streamed, in numbered parts of a bounded size."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from zlib import crc32

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from etl.model.limits import UPLOAD_BYTES
from etl.staging.keys import seal_key
from etl.staging.seal import Seal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef


def put_seal(s3: "S3Client", bucket: str, key: str, seal: Seal) -> None:
    """Seal the object with this key."""
    s3.put_object(Bucket=bucket, Key=seal_key(key), Body=msgspec.json.encode(seal), ContentType="application/json")


class ObjectWriter:
    """Writes one staged object and seals it; a large one as a multipart upload, so that memory stays flat.

    One part of the upload is sent while the next one is collected.
    """

    def __init__(self, s3: "S3Client", bucket: str, key: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self._where: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._chunks = [b"["]
        self._held_bytes = len(b"[")
        self._separator = b"\n"
        self._upload_id = ""
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._sent: list[Future[CompletedPartTypeDef]] = []
        self.size = 0
        self._records = 0

    def write(self, lines: Sequence[bytes]) -> None:
        """Append records, each one line of JSON without its line break."""
        if len(lines) > 1 and sum(map(len, lines)) > UPLOAD_BYTES:  # in pieces, so that memory holds few copies
            middle = len(lines) // 2
            self.write(lines[:middle])
            self.write(lines[middle:])
            return
        if not lines:
            return
        self._records += len(lines)
        added = (self._separator, b",\n".join(lines))
        added_bytes = sum(map(len, added))
        self._separator = b",\n"
        self._chunks += added
        self._held_bytes += added_bytes
        self.size += added_bytes
        if self._held_bytes >= UPLOAD_BYTES:
            self._upload()

    def close(self) -> None:
        """Finish the object, which exists from now on."""
        self._chunks.append(b"\n]\n")
        put_seal(self._s3, self._bucket, self._key, Seal(self._finish(), self._records))

    def _finish(self) -> str:
        """Send the rest, and return the object's ETag."""
        if not self._upload_id:
            return self._s3.put_object(**self._where, Body=self._taken(), ContentType="application/json")["ETag"]
        self._upload()
        parts = [part.result() for part in self._sent]
        self._sender.shutdown()
        upload: dict[str, Any] = {"UploadId": self._upload_id, "MultipartUpload": {"Parts": parts}}
        return self._s3.complete_multipart_upload(**self._where, **upload)["ETag"]

    def abort(self) -> None:
        """Abandon the object. Its uploaded parts are deleted now, or later by the bucket's lifecycle rule."""
        self._sender.shutdown()  # a part that arrives after the abort would stay
        if self._upload_id:
            # The error that led here says more than one of the clean-up.
            with suppress(BotoCoreError, ClientError):
                self._s3.abort_multipart_upload(**self._where, UploadId=self._upload_id)

    def _upload(self) -> None:
        if not self._upload_id:
            answer = self._s3.create_multipart_upload(
                **self._where, ContentType="application/json", ChecksumAlgorithm="CRC32"
            )
            self._upload_id = answer["UploadId"]
        if self._sent:
            self._sent[-1].result()
        self._sent.append(self._sender.submit(self._send, len(self._sent) + 1, self._taken()))

    def _send(self, number: int, body: bytes) -> "CompletedPartTypeDef":
        checksum = b64encode(crc32(body).to_bytes(4)).decode()
        part = self._s3.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=body, ChecksumCRC32=checksum
        )
        completed: dict[str, Any] = {"PartNumber": number, "ETag": part["ETag"]}
        completed |= {name: value for name, value in part.items() if name.startswith("Checksum")}
        return completed  # type: ignore[return-value]

    def _taken(self) -> bytes:
        body = b"".join(self._chunks)
        self._chunks.clear()
        self._held_bytes = 0
        return body


class PartWriter:
    """Writes a sequence of numbered staged objects, one open at a time.

    A context manager: it aborts the open part when the stage fails.

    Args:
        open_object: begins an object of the bucket under a key.
        key_of: the key of a part by its number.
        first: number of the first part; earlier invocations wrote the parts before it.
        part_bytes: size at which a part is full, in bytes.
    """

    def __init__(
        self, open_object: Callable[[str], ObjectWriter], key_of: Callable[[int], str], first: int, part_bytes: int
    ) -> None:
        self._open_object = open_object
        self._key_of = key_of
        self._part_bytes = part_bytes
        self._open: ObjectWriter | None = None
        self.next_part = first
        self.size = 0

    def __enter__(self) -> Self:
        """Open nothing before the first record."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Abandon the open part."""
        if self._open:
            self._open.abort()

    @property
    def full(self) -> bool:
        """Whether the open part has reached its size."""
        return self._open is not None and self._open.size >= self._part_bytes

    def write(self, lines: Sequence[bytes]) -> None:
        """Append records to the open part; open one if there is none."""
        if self._open is None:
            self._open = self._open_object(self._key_of(self.next_part))
        self._open.write(lines)

    def close(self) -> bool:
        """Finish the open part; False if none is open."""
        if self._open is None:
            return False
        self._open.close()
        self.size += self._open.size
        self._open = None
        self.next_part += 1
        return True
