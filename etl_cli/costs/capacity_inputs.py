"""What the capacity model is told: the work, the settings, what a record costs."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from etl.model.settings import MOST_WORKERS, Settings
from etl_cli.terminal.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# DynamoDB counts in binary units. Source: DynamoDB Developer Guide, "Quotas in Amazon DynamoDB".
KB, MB, GB = 1024, 1024**2, 1024**3

MEMORY_MB = Settings.memory_mb
STAGES = ("extract", "transform", "load")
MEASURED = ROOT / "docs" / "measured.json"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A table, and how much of it a run is about. The defaults are the benchmark's item.

    Attributes:
        table_bytes: size of the source table, as DynamoDB tells it.
        share: share of the items that lie in the window, from 0 to 1.
        item_bytes: size of an item as DynamoDB counts it.
        wire_bytes: size of an item as DynamoDB JSON, which is how Extract stages it.
        record_bytes: size of a record as Transform stages it.
        added_bytes: what the transformation adds to an item, as DynamoDB counts it (date, size and as_of).
        kept: records that Load writes for each item of the window; what is left out or rejected isn't written.
        units_per_record: write units of a record, as runs have counted them; None to reckon them from its size.
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
    """What can be set, in this stack or on AWS; the defaults are the stack's, and AWS's for a new account.

    Attributes:
        concurrency: workers of one stage at a time (``etl:concurrency``).
        segment_bytes: size of table that one worker scans, in bytes (``etl:segment_bytes``).
        max_write_units_per_second: ceiling on writes; 0 for none (``etl:max_write_units_per_second``).
        memory_mb: memory of the functions, which decides their share of a CPU (``etl:memory_mb``).
        functions_at_once: how many workers of a stage Lambda runs at once, by the account's quota and the functions'
            reservations. Source: Lambda Developer Guide, "Lambda quotas".
        timeout_seconds: time that the state machine has.
        read_units_per_second: what the source table can deliver; None for what an on-demand table of its size can.
        write_units_per_second: what the destination table can take; 4,000 is a new on-demand table's warm throughput.
            Source: DynamoDB Developer Guide, "Understanding DynamoDB warm throughput in different scenarios".
        cpu_speed: speed of one of Lambda's vCPUs, where the measured machine's core is 1.
        scan_ms: time until a page of 1 MB is there. An assumption, not measured.
        write_ms: time of a BatchWriteItem. An assumption, not measured.
        s3_ms: time of a ranged GET of 4 MiB. An assumption, not measured.
        start_ms: what an invocation costs before its work: Step Functions, a cold start. An assumption.
        pace: how many times as long as the model says a stage takes; above 1 where runs have been slower.
    """

    concurrency: int = Settings.concurrency
    segment_bytes: float = Settings.segment_bytes
    max_write_units_per_second: float = Settings.max_write_units_per_second
    memory_mb: int = MEMORY_MB
    functions_at_once: int = MOST_WORKERS
    timeout_seconds: float = 30 * 60
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
    """What a record costs, measured: ``model`` of docs/measured.json, which the benchmark writes.

    Attributes:
        page_us: CPU of a page of a Scan, whatever it holds, in microseconds.
        extract_us: CPU of an item that is staged, in microseconds, beside its page.
        transform_us: CPU of an item of raw DynamoDB JSON through the shipped transformation, in microseconds.
        load_us: CPU of a record through BatchWriteItem, in microseconds.
        wire_bytes: size of the measured item as DynamoDB JSON; CPU is taken as proportional to it.
        state_bytes: what a segment adds to the execution's state, in bytes.
    """

    page_us: float
    extract_us: float
    transform_us: float
    load_us: float
    wire_bytes: float
    state_bytes: float

    @classmethod
    def read(cls, path: Path = MEASURED) -> Self:
        """Read what was measured last.

        Raises:
            FileNotFoundError: nothing has been recorded.
        """
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{each.name: document["model"][each.name] for each in fields(cls)})
