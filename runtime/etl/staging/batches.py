"""Batches: a few records at a time, bounded by their number and by their bytes."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

# BatchWriteItem takes 25 items at most, and groups of that size keep Python's garbage collector quiet.
BATCH_RECORDS = 25
# A stage makes up to 55 times a batch's bytes of it (lists nested 32 levels deep, see docs/design.md, "Memory").
# 25 records of 4 KB are a tenth of this.
BATCH_BYTES = 1024 * 1024
# A retry takes smaller batches: the worker before it may have run out of memory. 25 records of 4 KB stay one batch.
RETRY_SHARE = 4


class Batch(NamedTuple):
    """Consecutive records of a staged object.

    Attributes:
        lines: the records, a line of JSON each.
        start: the offset in the object at which they begin, in bytes.
        end: the offset at which they end.
    """

    lines: list[bytes]
    start: int
    end: int

    def end_of(self, records: int) -> int:
        """The offset after some of its records."""
        return self.end if records == len(self.lines) else self.start + sum(map(_staged_size, self.lines[:records]))


def _staged_size(line: bytes) -> int:
    """The bytes of a record with its comma and its line break."""
    return len(line) + len(b",\n")


def batch_at(lines: list[bytes], first: int, most_bytes: int) -> list[bytes]:
    """The longest batch that begins at a line: 25 records, or fewer if they have too many bytes; one at least."""
    batch = lines[first : first + BATCH_RECORDS]
    size = sum(map(len, batch))
    while size > most_bytes and len(batch) > 1:
        size -= len(batch.pop())
    return batch


def cut_batches(lines: Iterable[bytes], most_bytes: int = BATCH_BYTES) -> Iterator[list[bytes]]:
    """Cut lines into the batches that Transform and Load take."""
    rest = iter(lines)
    waiting: list[bytes] = []
    while waiting := [*waiting, *islice(rest, BATCH_RECORDS - len(waiting))]:
        batch = batch_at(waiting, 0, most_bytes)
        waiting = waiting[len(batch) :]
        yield batch
