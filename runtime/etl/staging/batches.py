"""Batches of staged records."""

from collections.abc import Iterable, Iterator

from etl.staging.bucket import BATCH_BYTES, BATCH_RECORDS

__all__ = ["BATCH_BYTES", "BATCH_RECORDS", "cut"]


def cut(lines: Iterable[bytes], most_bytes: int = BATCH_BYTES) -> Iterator[list[bytes]]:
    """Cut lines into batches of 25 records, or of fewer with at most so many bytes; a larger record is alone."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == BATCH_RECORDS or size + len(line) > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
