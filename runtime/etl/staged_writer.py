"""Writing staged objects: streamed, in numbered parts of a bounded size."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# Every part of a multipart upload but the last has at least 5 MiB. Source: S3 User Guide, "Multipart upload limits".
UPLOAD_BYTES = 5 * 1024 * 1024


class ObjectWriter:
    """Writes one staged object; a large one as a multipart upload, so that memory stays flat."""

    def __init__(self, s3: "S3Client", bucket: str, key: str) -> None:
        self._s3 = s3
        self._where: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._buffer = bytearray(b"[")
        self._separator = b"\n"
        self._upload_id = ""
        self._uploaded: list[CompletedPartTypeDef] = []
        self.size = 0

    def write(self, lines: Sequence[bytes]) -> None:
        """Append records, each one line of JSON without its line break."""
        if not lines:
            return
        chunk = self._separator + b",\n".join(lines)
        self._separator = b",\n"
        self._buffer += chunk
        self.size += len(chunk)
        if len(self._buffer) >= UPLOAD_BYTES:
            self._upload()

    def close(self) -> None:
        """Finish the object; only now does it exist."""
        self._buffer += b"\n]\n"
        if not self._upload_id:
            self._s3.put_object(**self._where, Body=bytes(self._buffer), ContentType="application/json")
            return
        self._upload()
        self._s3.complete_multipart_upload(
            **self._where, UploadId=self._upload_id, MultipartUpload={"Parts": self._uploaded}
        )

    def abort(self) -> None:
        """Give the object up; what was uploaded of it is thrown away, if need be by the bucket's lifecycle rule."""
        if self._upload_id:
            # The error that led here says more than one of cleaning up.
            with suppress(BotoCoreError, ClientError):
                self._s3.abort_multipart_upload(**self._where, UploadId=self._upload_id)

    def _upload(self) -> None:
        if not self._upload_id:
            answer = self._s3.create_multipart_upload(**self._where, ContentType="application/json")
            self._upload_id = answer["UploadId"]
        number = len(self._uploaded) + 1
        part = self._s3.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=bytes(self._buffer)
        )
        uploaded: dict[str, Any] = {"PartNumber": number, "ETag": part["ETag"]}
        uploaded |= {name: value for name, value in part.items() if name.startswith("Checksum")}
        self._uploaded.append(uploaded)  # type: ignore[arg-type]
        self._buffer.clear()


class PartWriter:
    """Writes a sequence of numbered staged objects, one open at a time.

    A context manager: it aborts the open part when the stage fails.

    Args:
        open_object: begins an object of the bucket under a key.
        key_of: the key of a part by its number.
        first: number of the first part; those before it were written by earlier invocations.
        part_bytes: size from which a part is full, in bytes.
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
        """Nothing is opened before the first record."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what is still open."""
        if self._open:
            self._open.abort()

    @property
    def full(self) -> bool:
        """Whether the open part has reached its size."""
        return self._open is not None and self._open.size >= self._part_bytes

    def write(self, lines: Sequence[bytes]) -> None:
        """Append records to the open part, opening one when there is none."""
        if self._open is None:
            self._open = self._open_object(self._key_of(self.next_part))
        self._open.write(lines)

    def close(self) -> bool:
        """Finish the open part; False when none is open."""
        if self._open is None:
            return False
        self._open.close()
        self.size += self._open.size
        self._open = None
        self.next_part += 1
        return True
