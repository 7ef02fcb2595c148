"""The one module of the command that imports the functions' code: what a transformation does is asked of itself.

`transformation.py` is taken from the checkout and run as the function Transform runs it: the same contract, the same
guards, the same numbers. Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from etl.gate import aggregate_record
from etl.model.errors import RejectedError, TransformationError, UntimedError
from etl.model.run import Run
from etl.staging.bucket import BATCH_BYTES, BATCH_RECORDS
from etl.staging.keys import manifest_key
from etl.tables.source import SourceTable
from etl.tables.timestamps import check_timestamps, window_filter
from etl.user.aggregates import accumulators
from etl.user.isolation import IsolatedRecords
from etl.user.records import RECORD_SECONDS, Records
from etl.user.transformation import Transformation
from etl.values.attribute_values import Number, from_wire
from etl.values.plain_json import encode
from etl_cli.aws.raw_items import raw_client
from etl_cli.costs.capacity_inputs import MEMORY_MB
from etl_cli.items.rejections import Reason
from etl_cli.items.transformation_file import broken, load
from etl_cli.runs.staged import text_of
from etl_cli.terminal.console import printing_aside
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.runs.item import Item, Wire

__all__ = [
    "LocalTransformation",
    "Outcome",
    "Run",
    "key_of",
    "manifest",
    "source_lines",
    "untimed",
]

TRANSFORMATION = ROOT / "pipelines" / "etl" / "transformation.py"
EVER = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
_plain = msgspec.json.Decoder(dict[str, Any], float_hook=Number)


class _Key(msgspec.Struct):
    id: str
    timestamp: str


_keys = msgspec.json.Decoder(_Key)


@dataclass(frozen=True)
class Outcome:
    """What the transformation makes of one item.

    Attributes:
        line: the item, a line of DynamoDB JSON.
        records: what is loaded, a line of plain JSON each.
        reason: why it goes to quarantine; None if it doesn't.
        ahead: whether its time is yet to come, so that it's left to a later run.
    """

    line: bytes
    records: list[bytes] = field(default_factory=list)
    reason: Reason | None = None
    ahead: bool = False

    @property
    def fate(self) -> str:
        """In a word what becomes of it: ``rejected``, ``untimed``, ``ahead``, ``dropped`` or ``transformed``."""
        if self.reason:
            return "untimed" if self.reason.untimed else "rejected"
        return "ahead" if self.ahead else "transformed" if self.records else "dropped"

    @property
    def identity(self) -> str:
        """The item's id; empty if it has none."""
        return text_of(self.line, "id")

    @property
    def size(self) -> int:
        """Bytes of the item and of its records."""
        return len(self.line) + sum(map(len, self.records))

    @property
    def item(self) -> Item:
        """The item before. It is made anew each time: as an object it takes a hundred times the line's bytes."""
        found: Item = json.loads(self.line)
        return found


class LocalTransformation:
    """The transformation file of the checkout, as it is now.

    Args:
        path: the file; pipelines/etl/transformation.py if left out.

    Raises:
        UserError: it can't be used; the message says where it is wrong, and how.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path = path or TRANSFORMATION
        with printing_aside():
            module = load(path, RECORD_SECONDS)
            try:
                self._user = Transformation(module)
            except TransformationError as error:
                raise broken(path, str(error)) from error
        self._accumulators = accumulators(self._user.aggregates)

    def outcomes(self, lines: Iterable[bytes], run: Run) -> Iterator[Outcome]:
        """Run items through, and add what comes of them to the aggregates.

        Args:
            lines: an item of DynamoDB JSON each.
            run: what `transform()` is told of the run.

        Raises:
            UserError: a line isn't DynamoDB JSON, or there are more groups than an aggregate may have.
        """
        with IsolatedRecords(Records(self._user, run, RECORD_SECONDS), MEMORY_MB) as records:
            for batch in _batches(lines):
                while batch:
                    with printing_aside():
                        outcomes = self._batch(records, batch)
                    del batch[: len(outcomes)]  # behind one that was stopped, the others are still to come
                    yield from outcomes

    def _batch(self, records: IsolatedRecords, lines: list[bytes]) -> list[Outcome]:
        try:
            made = records(lines)
        except (msgspec.DecodeError, ValueError) as error:
            raise UserError(f"What was read isn't an item of DynamoDB JSON a line: {error}.") from error
        outcomes = []
        for line, results in zip(lines, made, strict=False):
            if isinstance(results, RejectedError):
                outcomes.append(Outcome(line, reason=_reason(results)))
                continue
            if isinstance(results, str):
                outcomes.append(Outcome(line, ahead=True))
                continue
            outcomes.append(Outcome(line, [result for result, _ in results]))
            try:
                for position, accumulator in enumerate(self._accumulators):
                    accumulator.add(prepared[position] for _, prepared in results)
            except TransformationError as error:
                raise broken(self._path, str(error)) from error
        return outcomes

    def aggregates(self) -> list[dict[str, Any]]:
        """The aggregates so far: ``name``, ``by``, ``groups``; a number with a fraction is text, with every digit."""
        document = [
            {"name": each.aggregate.name, "by": list(each.aggregate.by), "groups": each.results()}
            for each in self._accumulators
        ]
        found: list[dict[str, Any]] = json.loads(encode(document), parse_float=str)
        return found

    def aggregate_records(self, run: Run) -> list[bytes]:
        """The records that aggregates are loaded as, a line of plain JSON each."""
        return [
            encode(aggregate_record(run, each.aggregate, row))
            for each in self._accumulators
            if each.aggregate.load
            for row in each.results()
        ]


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Batches as Transform takes them: of so many records, or so many bytes, or one larger record alone."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == BATCH_RECORDS or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def key_of(line: bytes) -> tuple[str, str]:
    """``id`` and ``timestamp`` of a record of plain JSON."""
    key = _keys.decode(line)
    return key.id, key.timestamp


def source_lines(pipeline: Pipeline, start: str, end: str, now: str) -> Iterator[tuple[int, list[bytes]]]:
    """The source table's items of a window, and those that come along with each, as Extract reads them, page by page.

    Yields:
        How many items DynamoDB read for the page, and those of the window, a line of DynamoDB JSON each.
    """
    picked = window_filter(start, end, now)
    pages = SourceTable(raw_client(pipeline), pipeline.source_table).pages(picked, 0, 1, None)
    return ((page.scanned, list(map(bytes, page.items))) for page in pages)


def manifest(pipeline: Pipeline, run: str) -> Run | None:
    """A run as Plan fixed it; None when that has expired."""
    try:
        body = pipeline.s3.get_object(Bucket=pipeline.staging_bucket, Key=manifest_key(run))["Body"].read()
    except pipeline.s3.exceptions.NoSuchKey:
        return None
    return msgspec.json.decode(body, type=Run)


def untimed(timestamp: Wire | None) -> Reason | None:
    """Why an item's timestamp isn't one; None if it is."""
    line = msgspec.json.encode({"timestamp": timestamp} if timestamp else {})
    (verdict,) = check_timestamps(from_wire(b"[" + line + b"]"), EVER[1])
    return _reason(verdict) if isinstance(verdict, RejectedError) else None


def _reason(error: RejectedError) -> Reason:
    return Reason(error.field, error.expected, error.got, isinstance(error, UntimedError))
