"""The staging bucket, read and written in flat memory.

A staged object is one JSON array with one record a line, so that any JSON tool reads it and a stage
streams it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from etl.errors import ConfigurationError, StagingError
from etl.keys import part_key
from etl.run import Run, Work
from etl.staged_writer import ObjectWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READ_BYTES = 4 * 1024 * 1024
# BatchWriteItem takes 25 items at most, and groups of that size keep Python's garbage collector quiet.
BATCH_RECORDS = 25
# The cursor of a segment's first record.
BEGINNING = {"part": 0, "offset": 0}
_READ_ATTEMPTS = 4
_MISSING = frozenset(("NoSuchKey", "404"))


class Batch(NamedTuple):
    """Consecutive records of a staged object, as bytes, and the offset in bytes behind the last of them."""

    lines: list[bytes]
    end: int


class Staging:
    """The staging bucket.

    Args:
        s3: client of S3.
        bucket: name of the bucket.
        read_bytes: how much of an object is read at a time, in bytes.
    """

    def __init__(self, s3: "S3Client", bucket: str, read_bytes: int = READ_BYTES) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._read_bytes = read_bytes

    def put(self, key: str, body: bytes) -> None:
        """Write an object whole."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")

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

    def get(self, key: str) -> bytes:
        """Read a small object whole.

        Raises:
            StagingError: there is none.
        """
        return self._read(key, None)[0]

    def open(self, key: str) -> ObjectWriter:
        """Begin a staged object."""
        return ObjectWriter(self._s3, self._bucket, key)

    def batches(self, key: str, offset: int = 0) -> Iterator[Batch]:
        """Stream a staged object's records in batches of 25, from ``offset`` (the ``end`` of a batch).

        Raises:
            StagingError: the object is missing, truncated or not a staged array.
        """
        end = offset or len(b"[\n")
        waiting: list[bytes] = []
        for lines in self._lines(key, offset):
            waiting += lines
            ready = max(0, len(waiting) - 1) // BATCH_RECORDS * BATCH_RECORDS  # the last record has no comma behind it
            for first in range(0, ready, BATCH_RECORDS):
                batch = waiting[first : first + BATCH_RECORDS]
                end = self._end(key, batch, end)
                yield Batch(batch, end)
            del waiting[:ready]
        if waiting:
            yield Batch(waiting, self._end(key, waiting, end) - len(b","))

    def _end(self, key: str, batch: list[bytes], start: int) -> int:
        """The offset behind a batch's commas and line breaks, which are the only ones in it."""
        records = b"".join(batch)
        if b"\n" in records:
            raise self._malformed(key, start, "the brackets and commas aren't where they belong")
        return start + len(records) + len(b",\n") * len(batch)

    def segment_batches(self, stage: str, run: Run, work: Work) -> Iterator[tuple[dict[str, int], str, Batch]]:
        """What ``stage`` wrote for a segment, from the cursor on: each batch with the cursor behind it and its key.

        Raises:
            ConfigurationError: the cursor isn't one that a stage returns.
            StagingError: an object is missing, truncated or not a staged array.
        """
        cursor = work.cursor or BEGINNING
        first, offset = (cursor.get(name) for name in BEGINNING)
        if type(first) is not int or type(offset) is not int or first < 0 or offset < 0:
            raise ConfigurationError(
                f"work.cursor must be like {BEGINNING}, whole numbers >= 0, got another object; "
                "the workflow hands on what the stage returned: start a new run of the window"
            )
        for part in range(first, work.counted(f"{stage}_parts")):
            key = part_key(stage, run, work.segment, part)
            for batch in self.batches(key, offset):
                yield {"part": part, "offset": batch.end}, key, batch
            offset = 0

    def _lines(self, key: str, offset: int) -> Iterator[list[bytes]]:
        """What lies between the commas at line ends, from ``offset`` up to the closing bracket, read by read."""
        rest, opened, ended, empty = b"", offset > 0, False, True
        while not ended:
            chunk, size = self._read(key, offset)
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

    def _read(self, key: str, offset: int | None) -> tuple[bytes, int]:
        """Up to ``read_bytes`` from ``offset`` (the whole object when None), and the object's size."""
        span = {} if offset is None else {"Range": f"bytes={offset}-{offset + self._read_bytes - 1}"}
        attempt = 1
        while True:
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=key, **span)  # type: ignore[arg-type]
                body = answer["Body"].read()
                return body, int(answer.get("ContentRange", f"/{len(body)}").rpartition("/")[2])
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _MISSING:
                    raise StagingError(
                        f"s3://{self._bucket}/{key} is missing: it was removed or has expired since the stage "
                        "before wrote it; start a new run of the same window"
                    ) from error
                if code == "InvalidRange":
                    raise self._malformed(key, offset or 0, "it is shorter than what was written") from error
                raise
            except (HTTPClientError, IncompleteReadError):
                # botocore retries a request, and not the reading of its answer.
                if attempt == _READ_ATTEMPTS:
                    raise
                attempt += 1

    def malformed_records(self, key: str, batch: Batch, error: Exception) -> StagingError:
        """The error for a batch whose records aren't JSON, or not what a stage writes."""
        start = max(0, batch.end - sum(len(line) + len(b",\n") for line in batch.lines))
        return self._malformed(key, start, f"{error}, in the {len(batch.lines)} records from there")

    def _malformed(self, key: str, offset: int, problem: str) -> StagingError:
        return StagingError(
            f"s3://{self._bucket}/{key} isn't the array that the stage before wrote: {problem}, at byte {offset}; "
            "it was changed or cut off: start a new run of the same window"
        )
