"""The staging bucket as the stages use it: records, streamed in batches, in flat memory.

A staged object is one JSON array with one record a line. Any JSON tool can read it, and a stage can stream it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from etl.model.errors import ConfigurationError, StagingError, class_name
from etl.model.limits import READ_BYTES
from etl.model.run import Run, Work
from etl.staging.batches import BATCH_BYTES, RETRY_SHARE, Batch, batch_at
from etl.staging.keys import begun_key, part_key, quarantine_key
from etl.staging.objects import StagedObjects

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The cursor of a segment's first record.
BEGINNING = {"part": 0, "offset": 0}


def _place(cursor: dict[str, Any] | None) -> tuple[int, int]:
    """A cursor's part and offset.

    Raises:
        ConfigurationError: the cursor isn't one that a stage returns.
    """
    part, offset = ((cursor or BEGINNING).get(name) for name in BEGINNING)
    if type(part) is not int or type(offset) is not int or part < 0 or offset < 0:
        raise ConfigurationError(
            f"work.cursor must be like {BEGINNING}, whole numbers >= 0, got another object; "
            "the workflow passes it from the stage that returned it: start a new run of the window"
        )
    return part, offset


class Staging(StagedObjects):
    """The staging bucket.

    Args:
        s3: client of S3.
        bucket: name of the bucket.
        read_bytes: the part of an object that is read at a time, in bytes.
        batch_bytes: the most that a batch of several records may have, in bytes.
    """

    def __init__(
        self, s3: "S3Client", bucket: str, read_bytes: int = READ_BYTES, batch_bytes: int = BATCH_BYTES
    ) -> None:
        super().__init__(s3, bucket)
        self._read_bytes = read_bytes
        self._batch_bytes = batch_bytes

    def for_retry(self) -> "Staging":
        """The same bucket in smaller batches, for a retry: the worker before it may have run out of memory."""
        return Staging(self._s3, self._bucket, self._read_bytes, self._batch_bytes // RETRY_SHARE)

    def batches(self, key: str, offset: int = 0) -> Iterator[Batch]:
        """Stream a staged object's records in batches, from ``offset`` (the ``end`` of a batch).

        Raises:
            StagingError: the object is missing, isn't the one that was written, or isn't a staged array.
        """
        end = offset or len(b"[\n")
        waiting: list[bytes] = []
        for lines in self._lines(key, offset, self._seal(key).etag):
            waiting += lines
            taken = 0
            # A batch that reaches the last line may still grow, and a comma may follow or not.
            while taken + len(batch := batch_at(waiting, taken, self._batch_bytes)) < len(waiting):
                taken += len(batch)
                start, end = end, self._end(key, batch, end)
                yield Batch(batch, start, end)
            del waiting[:taken]
        if waiting:
            yield Batch(waiting, end, self._end(key, waiting, end) - len(b","))

    def segment_batches(self, stage: str, run: Run, work: Work) -> Iterator[tuple[dict[str, int], str, Batch]]:
        """Stream the records that ``stage`` wrote for a segment, from the cursor on: see :meth:`batches_of`."""
        parts = range(work.counted(f"{stage}_parts"))
        return self.batches_of([part_key(stage, run, work.segment, part) for part in parts], work.cursor)

    def batches_of(self, keys: list[str], cursor: dict[str, Any] | None) -> Iterator[tuple[dict[str, int], str, Batch]]:
        """Stream the records of several objects, from the cursor on.

        Yields:
            The cursor after the batch, the key of its object, the batch.

        Raises:
            ConfigurationError: the cursor isn't one that a stage returns.
            StagingError: an object is missing, isn't the one that was written, or isn't a staged array.
        """
        first, offset = _place(cursor)
        for part, key in enumerate(keys[first:], first):
            for batch in self.batches(key, offset):
                yield {"part": part, "offset": batch.end}, key, batch
            offset = 0

    def begins(self, stage: str, run: Run, work: Work) -> bool:
        """Mark that ``stage`` works on a segment from its cursor on; False if an earlier attempt has marked it.

        Raises:
            ConfigurationError: the cursor isn't one that a stage returns.
        """
        return self.put_if_absent(begun_key(stage, run, work.segment, *_place(work.cursor)), b"{}")

    def empty_quarantine(self, stage: str, run: Run, work: Work) -> None:
        """Empty the objects of quarantine that an attempt wrote after the cursor before it died.

        Its retry may write fewer of them. A replay takes up every sealed object, so it would take a record twice.
        """
        number = work.counted(f"{stage}_quarantine_parts")
        while self._is_sealed(key := quarantine_key(stage, run, work.segment, number)):
            self.open(key).close()
            number += 1

    def malformed_records(self, key: str, batch: Batch, error: Exception) -> StagingError:
        """The error for a batch whose records aren't JSON, or not as a stage writes them."""
        # A KeyError's message is the key.
        problem = str(error) if isinstance(error, ValueError) else class_name(error)
        return self._malformed(key, batch.start, f"{problem}, in the {len(batch.lines)} records from there")

    def _end(self, key: str, batch: list[bytes], start: int) -> int:
        """The offset after a batch with its commas and line breaks. The records themselves have no line break."""
        records = b"".join(batch)
        if b"\n" in records:
            raise self._malformed(key, start, "the brackets and commas aren't where they belong")
        return start + len(records) + len(b",\n") * len(batch)

    def _lines(self, key: str, offset: int, etag: str) -> Iterator[list[bytes]]:
        """The records between the commas at line ends, from ``offset`` to the closing bracket; a list for each read."""
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
        if rest != b"]\n" or not empty:  # one more record follows a comma
            if not rest.endswith(b"\n]\n"):
                raise self._malformed(key, offset, "it ends before its closing bracket")
            yield [rest.removesuffix(b"\n]\n")]
