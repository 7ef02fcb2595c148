"""The inputs of the capacity model: the work, the settings, and the measured cost of a record."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from etl.model.limits import MOST_WORKERS
from etl.model.settings import Settings
from etl.model.statuses import RUN_LIMIT
from etl_cli.terminal.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MEASURED = ROOT / "docs" / "measured.json"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A table, and the part of it that a run works on. The defaults are the benchmark's item.

    Attributes:
        table_bytes: size of the source table, from DynamoDB.
        share: share of the items in the window, from 0 to 1.
        item_bytes: size of an item as DynamoDB counts it.
        wire_bytes: size of an item as DynamoDB JSON, as Extract stages it.
        record_bytes: size of a record as Transform stages it.
        added_bytes: bytes that the transformation adds to an item, as DynamoDB counts them (date, size and as_of).
        kept: records that Load writes for each item of the window.
        units_per_record: write units of a record, as earlier runs counted them; None to derive them from its size.
    """

    table_bytes: float
    share: float = 1.0
    item_bytes: float = 212.0
    wire_bytes: float = 418.0
    record_bytes: float = 360.0
    added_bytes: float = 49.0
    kept: float = 1.0
    units_per_record: float | None = None

    @property
    def items(self) -> float:
        """Items of the table."""
        return self.table_bytes / self.item_bytes

    @property
    def read(self) -> float:
        """Items of the window."""
        return self.items * self.share

    @property
    def records(self) -> float:
        """Records that Load writes."""
        return self.read * self.kept


@dataclass(frozen=True, kw_only=True)
class CapacitySettings:
    """Settings of this stack and limits of AWS; the defaults are the stack's, and AWS's for a new account.

    Attributes:
        concurrency: workers of one stage at a time (``concurrency``).
        segment_bytes: size of table that one worker scans, in bytes (``segment_bytes``).
        source_read_units_per_second: ceiling on reads; 0 for none (``source_read_units_per_second``).
        max_write_units_per_second: ceiling on writes; 0 for none (``max_write_units_per_second``).
        memory_mb: memory of the functions, which decides their share of a CPU (``memory_mb``).
        architecture: of the functions, ``x86_64`` or ``arm64``; for their price (``architecture``).
        functions_at_once: workers of a stage that Lambda runs at once, by the account's quota and the functions'
            reservations. Source: Lambda Developer Guide, "Lambda quotas".
        timeout_seconds: time-out of the state machine.
        read_units_per_second: throughput of the source table; None for an on-demand table of its size.
        write_units_per_second: throughput of the destination table; 4,000 is a new on-demand table's warm throughput.
            Source: DynamoDB Developer Guide, "Understanding DynamoDB warm throughput in different scenarios".
        cpu_speed: speed of one of Lambda's vCPUs; the measured machine's core is 1.
        scan_ms: time of a page of 1 MB. An assumption, not measured.
        write_ms: time of a BatchWriteItem. An assumption, not measured.
        s3_ms: time of a ranged GET of 4 MiB. An assumption, not measured.
        start_ms: time of an invocation before its work: Step Functions, a cold start. An assumption.
        pace: factor on the model's times; above 1 where runs have been slower.
    """

    concurrency: int = Settings.concurrency
    segment_bytes: float = Settings.segment_bytes
    source_read_units_per_second: int = Settings.source_read_units_per_second
    max_write_units_per_second: float = Settings.max_write_units_per_second
    memory_mb: int = Settings.memory_mb
    architecture: str = "x86_64"
    functions_at_once: int = MOST_WORKERS
    timeout_seconds: float = RUN_LIMIT.total_seconds()
    read_units_per_second: float | None = None
    write_units_per_second: float = 4_000
    cpu_speed: float = 1.0
    scan_ms: float = 100.0
    write_ms: float = 10.0
    s3_ms: float = 50.0
    start_ms: float = 1_000.0
    pace: float = 1.0

    @property
    def cpu_share(self) -> float:
        """CPU seconds of the measured machine that a worker gets in a second.

        One vCPU at 1,769 MB, in proportion below; a worker uses one core. Source: Lambda Developer Guide,
        "Configure Lambda function memory".
        """
        return min(1.0, self.memory_mb / 1769) * self.cpu_speed


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The measured cost of a record: ``model`` of docs/measured.json, which the benchmark writes.

    CPU is in microseconds: ``page_us`` for each page of a Scan, and the others for an item or record of a stage. The
    model takes the latter as proportional to an item's size as DynamoDB JSON, which was ``wire_bytes``. A segment adds
    ``state_bytes`` to the execution's state.
    """

    page_us: float
    extract_us: float
    transform_us: float
    load_us: float
    wire_bytes: float
    state_bytes: float

    @classmethod
    def read(cls, path: Path = MEASURED) -> Self:
        """Read the latest measurement.

        Raises:
            FileNotFoundError: there is no measurement.
        """
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{each.name: document["model"][each.name] for each in fields(cls)})
