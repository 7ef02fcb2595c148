"""Objects of the staging bucket: sealed when they are written, and checked against their seal when they are read."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError

from etl.aws.backoff import full_jitter
from etl.model.errors import StagingError
from etl.staging.keys import seal_key
from etl.staging.seal import Seal
from etl.staging.writer import ObjectWriter, put_seal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The part of a document that is read ahead of its turn.
_AHEAD_BYTES = 1024 * 1024
_READ_ATTEMPTS = 4
_seals = msgspec.json.Decoder(Seal)


class StagedObjects:
    """The objects of the staging bucket.

    Args:
        s3: client of S3.
        bucket: name of the bucket.
    """

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        """Write an object whole, and seal it."""
        answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        put_seal(self._s3, self._bucket, key, Seal(answer["ETag"], 1))

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one; return whether it was written."""
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "412"):
                return False
            raise
        return True

    def open(self, key: str) -> ObjectWriter:
        """Begin a staged object."""
        return ObjectWriter(self._s3, self._bucket, key)

    def manifest(self, key: str) -> dict[str, Any]:
        """Read the manifest of a run, which has no seal.

        Raises:
            StagingError: there is none, or it was changed.
        """
        try:
            return msgspec.json.decode(self._read(key)[0], type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise self._malformed(key, 0, "it isn't the manifest of a run") from None

    def get(self, key: str) -> bytes:
        """Read a small object that was put.

        Raises:
            StagingError: it is missing, or isn't the one that was put.
        """
        return self._read(key, if_match=self._seal(key).etag)[0]

    def begun(self, key: str) -> Callable[[], bytes]:
        """Read the first MiB of an object that was put; return a function that reads the rest and returns all of it.

        So a reader can hold the beginnings of many large objects at once.

        Raises:
            StagingError: it is missing, or isn't the one that was put.
        """
        etag = self._seal(key).etag
        first, size = self._read(key, f"bytes=0-{_AHEAD_BYTES - 1}", etag)

        def whole() -> bytes:
            if len(first) >= size:
                return first
            return first + self._read(key, f"bytes={len(first)}-{size - 1}", etag)[0]

        return whole

    def records(self, key: str) -> int:
        """Count the records of a staged object, and check that it is still the one that was written.

        Raises:
            StagingError: it is missing or was changed.
        """
        seal = self._seal(key)
        self._read(key, "bytes=0-0", seal.etag)
        return seal.records

    def sealed(self, prefix: str) -> list[str]:
        """List the keys of the finished objects whose keys begin with ``prefix``, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=seal_key(prefix))
        return [entry["Key"].removeprefix(seal_key("")) for page in pages for entry in page.get("Contents", ())]

    def _is_sealed(self, key: str) -> bool:
        try:
            self._seal(key)
        except StagingError:
            return False
        return True

    def _seal(self, key: str) -> Seal:
        sealed = seal_key(key)
        try:
            return _seals.decode(self._read(sealed)[0])
        except (msgspec.DecodeError, RecursionError):
            raise self._malformed(sealed, 0, "it isn't the seal of an object") from None

    def _read(self, key: str, span: str | None = None, if_match: str | None = None) -> tuple[bytes, int]:
        """Read an object or a span of it; return the bytes and the size of the whole object.

        Args:
            key: the object's key.
            span: the header Range.
            if_match: the ETag that the object must have.
        """
        options = {name: value for name, value in (("Range", span), ("IfMatch", if_match)) if value is not None}
        failures = 0
        while True:
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key, **options)  # type: ignore[arg-type]
                body = answer["Body"].read()
                return body, int(answer.get("ContentRange", f"/{len(body)}").rpartition("/")[2])
            except ClientError as error:
                refused = self._refused(key, error)
                if refused:
                    raise refused from error
                raise
            except (HTTPClientError, IncompleteReadError, FlexibleChecksumError):
                # botocore retries a request, but not the reading of its answer.
                if failures == _READ_ATTEMPTS - 1:
                    raise
            time.sleep(full_jitter(failures))
            failures += 1

    def _refused(self, key: str, error: ClientError) -> StagingError | None:
        """Explain why S3 refuses to read the object; None if the refusal isn't about the object."""
        code = error.response["Error"]["Code"]
        # If the role may not list the bucket, S3 answers the request for a missing key by denying the list.
        unseen = code == "AccessDenied" and "s3:ListBucket" in str(error)
        if code == "NoSuchKey" or unseen:
            return StagingError(
                f"s3://{self._bucket}/{key} is missing: it was removed or has expired since the stage "
                "before wrote it; start a new run of the same window"
            )
        if code == "PreconditionFailed":
            return self._malformed(key, 0, "its ETag isn't that of its seal")
        if code == "InvalidRange":
            return self._malformed(key, 0, "it is shorter than the object that was written")
        return None

    def _malformed(self, key: str, offset: int, problem: str) -> StagingError:
        return StagingError(
            f"s3://{self._bucket}/{key} isn't the array that the stage before wrote: {problem}, at byte {offset}; "
            "it was changed or cut off: start a new run of the same window"
        )
