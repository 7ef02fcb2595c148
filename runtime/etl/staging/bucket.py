"""The staging bucket, read and written in flat memory.

A staged object is one JSON array with one record a line, so that any JSON tool reads it and a stage
streams it.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError, FlexibleChecksumError, HTTPClientError, IncompleteReadError

from etl.aws.backoff import full_jitter
from etl.model.errors import ConfigurationError, StagingError, class_name
from etl.model.run import Run, Work
from etl.staging.keys import begun_key, part_key, quarantine_key, seal_key
from etl.staging.seal import Seal
from etl.staging.writer import ObjectWriter, put_seal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_BYTES = 4 * 1024 * 1024
# BatchWriteItem takes 25 items at most, and groups of that size keep Python's garbage collector quiet.
BATCH_RECORDS = 25
# What a stage makes of a batch takes up to 55 times the batch's bytes (lists nested 32 levels deep, see docs/design.md,
# "Memory"). 25 records of 4 KB are a tenth of it.
BATCH_BYTES = 1024 * 1024
# A worker that is a retry may have died for want of memory. 25 records of 4 KB are still one batch.
RETRY_SHARE = 4
# So much of a document is read ahead of its turn.
_AHEAD_BYTES = 1024 * 1024
# The cursor of a segment's first record.
BEGINNING = {"part": 0, "offset": 0}
_READ_ATTEMPTS = 4
_seals = msgspec.json.Decoder(Seal)


class Batch(NamedTuple):
    """Consecutive records of a staged object, as bytes, and where they begin and end in it, as offsets in bytes."""

    lines: list[bytes]
    start: int
    end: int

    def end_of(self, records: int) -> int:
        """The offset behind the first so many records."""
        return self.end if records == len(self.lines) else self.start + sum(map(_staged_size, self.lines[:records]))


def _staged_size(line: bytes) -> int:
    """The bytes that a record takes, its comma and its line break included."""
    return len(line) + len(b",\n")


def _place(cursor: dict[str, Any] | None) -> tuple[int, int]:
    """A cursor's part and offset.

    Raises:
        ConfigurationError: the cursor isn't one that a stage returns.
    """
    part, offset = ((cursor or BEGINNING).get(name) for name in BEGINNING)
    if type(part) is not int or type(offset) is not int or part < 0 or offset < 0:
        raise ConfigurationError(
            f"work.cursor must be like {BEGINNING}, whole numbers >= 0, got another object; "
            "the workflow hands on what the stage returned: start a new run of the window"
        )
    return part, offset


class Staging:
    """The staging bucket.

    Args:
        s3: client of S3.
        bucket: name of the bucket.
        read_bytes: how much of an object is read at a time, in bytes.
        batch_bytes: how much a batch of several records may have, in bytes.
    """

    def __init__(
        self, s3: "S3Client", bucket: str, read_bytes: int = READ_BYTES, batch_bytes: int = BATCH_BYTES
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._read_bytes = read_bytes
        self._batch_bytes = batch_bytes

    def for_retry(self) -> "Staging":
        """The same bucket in smaller batches, for a worker that may have died of them."""
        return Staging(self._s3, self._bucket, self._read_bytes, self._batch_bytes // RETRY_SHARE)

    def put(self, key: str, body: bytes) -> None:
        """Write an object whole, and seal it."""
        answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
        put_seal(self._s3, self._bucket, key, Seal(answer["ETag"], 1))

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one; False when there is."""
        try:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "412"):
                return False
            raise
        return True

    def get_unsealed(self, key: str) -> bytes:
        """Read a small object that has no seal.

        Raises:
            StagingError: there is none.
        """
        return self._read(key)[0]

    def get(self, key: str) -> bytes:
        """Read a small object that was put.

        Raises:
            StagingError: it is missing, or isn't the one that was put.
        """
        return self._read(key, if_match=self._seal(key).etag)[0]

    def begun(self, key: str) -> Callable[[], bytes]:
        """Read the first MiB of an object that was put; the returned function reads the rest, and returns it whole.

        So many objects can be read side by side, whatever their size.

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
        """How many records a staged object holds, which is still the one that was written.

        Raises:
            StagingError: it is missing or was changed.
        """
        seal = self._seal(key)
        self._read(key, "bytes=0-0", seal.etag)
        return seal.records

    def sealed(self, prefix: str) -> list[str]:
        """The keys of the finished objects whose keys begin with ``prefix``, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=seal_key(prefix))
        return [entry["Key"].removeprefix(seal_key("")) for page in pages for entry in page.get("Contents", ())]

    def open(self, key: str) -> ObjectWriter:
        """Begin a staged object."""
        return ObjectWriter(self._s3, self._bucket, key)

    def batches(self, key: str, offset: int = 0) -> Iterator[Batch]:
        """Stream a staged object's records in batches, from ``offset`` (the ``end`` of a batch).

        A batch has 25 records, or fewer if they would have too many bytes; one longer record is a batch alone.

        Raises:
            StagingError: the object is missing, isn't the one that was written, or not a staged array.
        """
        end = offset or len(b"[\n")
        waiting: list[bytes] = []
        for lines in self._lines(key, offset, self._seal(key).etag):
            waiting += lines
            ready = 0
            while batch := self._full(waiting, ready):
                ready += len(batch)
                start, end = end, self._end(key, batch, end)
                yield Batch(batch, start, end)
            del waiting[:ready]
        if waiting:
            yield Batch(waiting, end, self._end(key, waiting, end) - len(b","))

    def _full(self, lines: list[bytes], first: int) -> list[bytes]:
        """The batch that begins at a line; empty while more may join it, or it has the last line: no comma follows."""
        batch = lines[first : first + BATCH_RECORDS]
        size = sum(map(len, batch))
        full = len(batch) == BATCH_RECORDS or size > self._batch_bytes
        while size > self._batch_bytes and len(batch) > 1:
            size -= len(batch.pop())
        return batch if full and first + len(batch) < len(lines) else []

    def _end(self, key: str, batch: list[bytes], start: int) -> int:
        """The offset behind a batch's commas and line breaks, which are the only ones in it."""
        records = b"".join(batch)
        if b"\n" in records:
            raise self._malformed(key, start, "the brackets and commas aren't where they belong")
        return start + len(records) + len(b",\n") * len(batch)

    def segment_batches(self, stage: str, run: Run, work: Work) -> Iterator[tuple[dict[str, int], str, Batch]]:
        """What ``stage`` wrote for a segment, from the cursor on: see :meth:`batches_of`."""
        parts = range(work.counted(f"{stage}_parts"))
        return self.batches_of([part_key(stage, run, work.segment, part) for part in parts], work.cursor)

    def batches_of(self, keys: list[str], cursor: dict[str, Any] | None) -> Iterator[tuple[dict[str, int], str, Batch]]:
        """The records of several objects, from the cursor on: each batch with the cursor behind it and its key.

        Raises:
            ConfigurationError: the cursor isn't one that a stage returns.
            StagingError: an object is missing, isn't the one that was written, or not a staged array.
        """
        first, offset = _place(cursor)
        for part, key in enumerate(keys[first:], first):
            for batch in self.batches(key, offset):
                yield {"part": part, "offset": batch.end}, key, batch
            offset = 0

    def empty_quarantine(self, stage: str, run: Run, work: Work) -> None:
        """Empty what an attempt that died has set aside behind the cursor: its retry may have less to finish there.

        A replay takes up all that is sealed, so a record would be taken twice.
        """
        number = work.counted(f"{stage}_quarantine_parts")
        while self._is_sealed(key := quarantine_key(stage, run, work.segment, number)):
            self.open(key).close()
            number += 1

    def _is_sealed(self, key: str) -> bool:
        try:
            self._seal(key)
        except StagingError:
            return False
        return True

    def begins(self, stage: str, run: Run, work: Work) -> bool:
        """Mark that ``stage`` works on a segment from its cursor on; False when an attempt before has marked it.

        Raises:
            ConfigurationError: the cursor isn't one that a stage returns.
        """
        return self.put_if_absent(begun_key(stage, run, work.segment, *_place(work.cursor)), b"{}")

    def _seal(self, key: str) -> Seal:
        sealed = seal_key(key)
        try:
            return _seals.decode(self._read(sealed)[0])
        except (msgspec.DecodeError, RecursionError):
            raise self._malformed(sealed, 0, "it isn't the seal of an object") from None

    def _lines(self, key: str, offset: int, etag: str) -> Iterator[list[bytes]]:
        """What lies between the commas at line ends, from ``offset`` up to the closing bracket, read by read."""
        rest, opened, ended, empty = b"", offset > 0, False, True
        while not ended:
            chunk, size = self._read(key, f"bytes={offset}-{offset + self._read_bytes - 1}", etag)
            offset += len(chunk)
            rest += chunk
            ended = offset >= size
            if not opened and (ended or len(rest) >= len(b"[\n")):
                if not rest.startswith(b"[\n"):
                    raise self._malformed(key, 0, "it doesn't begin with its opening bracket")
                rest, opened = rest.removeprefix(b"[\n"), True
            *lines, rest = rest.split(b",\n")
            empty = empty and not lines
            yield lines
        if rest != b"]\n" or not empty:  # behind a comma there is one more record
            if not rest.endswith(b"\n]\n"):
                raise self._malformed(key, offset, "it ends before its closing bracket")
            yield [rest.removesuffix(b"\n]\n")]

    def _read(self, key: str, span: str | None = None, if_match: str | None = None) -> tuple[bytes, int]:
        """The bytes of ``span`` (the whole object when None), and the object's size.

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
                # botocore retries a request, and not the reading of its answer.
                if failures == _READ_ATTEMPTS - 1:
                    raise
            time.sleep(full_jitter(failures))
            failures += 1

    def _refused(self, key: str, error: ClientError) -> StagingError | None:
        """What S3's refusal to read says of the object; None when it's about something else."""
        code = error.response["Error"]["Code"]
        # To a role that may not list the bucket, S3 doesn't tell that a key is missing: it denies the list.
        unseen = code == "AccessDenied" and "s3:ListBucket" in str(error)
        if code == "NoSuchKey" or unseen:
            return StagingError(
                f"s3://{self._bucket}/{key} is missing: it was removed or has expired since the stage "
                "before wrote it; start a new run of the same window"
            )
        if code == "PreconditionFailed":
            return self._malformed(key, 0, "its ETag isn't that of its seal")
        if code == "InvalidRange":
            return self._malformed(key, 0, "it is shorter than what was written")
        return None

    def malformed_records(self, key: str, batch: Batch, error: Exception) -> StagingError:
        """The error for a batch whose records aren't JSON, or not what a stage writes."""
        # A KeyError's message is the key.
        problem = str(error) if isinstance(error, ValueError) else class_name(error)
        return self._malformed(key, batch.start, f"{problem}, in the {len(batch.lines)} records from there")

    def _malformed(self, key: str, offset: int, problem: str) -> StagingError:
        return StagingError(
            f"s3://{self._bucket}/{key} isn't the array that the stage before wrote: {problem}, at byte {offset}; "
            "it was changed or cut off: start a new run of the same window"
        )
