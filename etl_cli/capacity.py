"""The capacity model: what a run of the pipeline takes, in time, units and dollars. docs/scaling.md explains it.

Nothing here calls AWS. A run is three stages one after the other, each as slow as the slowest of what it needs: its
workers' CPU, their waiting, what the source table delivers, what the destination table takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from etl_cli.capacity_inputs import GB, KB, MB, STAGES, CapacitySettings, Costs, Prices, Workload

Bound = Literal["CPU", "latency", "source table", "destination table"]

# A Scan's page, and what eventually consistent reading costs: half a unit for 4 KB of what is scanned, whatever the
# filter leaves. Source: API reference of Scan; DynamoDB Developer Guide, "Scanning tables in DynamoDB".
PAGE_BYTES, BYTES_PER_READ_UNIT = MB, 2 * 4 * KB
# Default quota of a table, an on-demand table's first throughput, a partition's. Sources: DynamoDB Developer Guide,
# "Quotas in Amazon DynamoDB", "Understanding DynamoDB warm throughput…", "Partitions and data distribution".
TABLE_UNITS, NEW_TABLE_READ_UNITS, PARTITION_READ_UNITS, PARTITION_BYTES = 40_000, 12_000, 3_000, 10 * GB
DOUBLING_SECONDS = 30 * 60
# Sources: API reference of BatchWriteItem; runtime/etl: staged_writer.py, staging.py, load.py, deadline.py.
BATCH_RECORDS, UPLOAD_BYTES, READ_BYTES, IN_FLIGHT = 25, 5 * MB, 4 * MB, 16
PART_BYTES = 64 * MB
INVOCATION_SECONDS, RESERVE = 300.0, 1 / 50
# An inline Map runs at most 40 at once, an execution's history has at most 25,000 events, a state 256 KiB; Lambda runs
# 1,000 invocations at once. Sources: Step Functions Developer Guide, "Service quotas"; "Lambda quotas".
INLINE_WORKERS, HISTORY_EVENTS, STATE_BYTES, ACCOUNT_WORKERS = 40, 25_000, 256 * KB, 1_000


@dataclass(frozen=True, kw_only=True)
class StageEstimate:
    """One stage of a run.

    Attributes:
        name: extract, transform or load.
        seconds: time by the clock.
        invocations: Lambda invocations, continuations included.
        bound_by: what the time is spent on.
    """

    name: str
    seconds: float
    invocations: int
    bound_by: Bound


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run takes.

    Attributes:
        segments: segments of the table, each worked on by one worker at a time.
        waves: how often the workers of a stage must take turns.
        stages: the three stages.
        seconds: time by the clock, from Plan to Finish.
        read_units, write_units: what DynamoDB bills.
        staged_bytes, puts, gets: what is written to S3, and the requests.
        transitions: state transitions that Step Functions bills.
        history_events: events of the execution's own history; children of a Distributed Map have their own.
        state_bytes: size of the execution's state.
        gb_seconds: what Lambda bills, beside requests.
        dollars: by service.
    """

    segments: int
    waves: int
    stages: tuple[StageEstimate, ...]
    seconds: float
    read_units: float
    write_units: float
    staged_bytes: float
    puts: float
    gets: float
    transitions: int
    history_events: int
    state_bytes: float
    gb_seconds: float
    dollars: dict[str, float]

    @property
    def invocations(self) -> int:
        """Lambda invocations of the three stages."""
        return sum(stage.invocations for stage in self.stages)

    @property
    def slowest(self) -> StageEstimate:
        """The stage that takes longest."""
        return max(self.stages, key=lambda stage: stage.seconds)

    @property
    def total(self) -> float:
        """Dollars in all."""
        return sum(self.dollars.values())


def table_read_units(table_bytes: float) -> float:
    """Read units that an on-demand table of so many bytes delivers in a second, within the default quota."""
    partitions = math.ceil(table_bytes / PARTITION_BYTES)
    return min(TABLE_UNITS, max(NEW_TABLE_READ_UNITS, partitions * PARTITION_READ_UNITS))


def write_seconds(units: float, first: float, most: float) -> float:
    """Time in which an on-demand table takes ``units``, in seconds.

    It takes ``first`` a second, and twice as much after every half hour at its peak, up to ``most``. Source: DynamoDB
    Developer Guide, "DynamoDB on-demand capacity mode", Initial throughput and scaling properties.
    """
    seconds, rate = 0.0, min(first, most)
    while rate < most and units > rate * DOUBLING_SECONDS:
        units -= rate * DOUBLING_SECONDS
        seconds += DOUBLING_SECONDS
        rate = min(2 * rate, most)
    return seconds + units / rate


def estimate(workload: Workload, settings: CapacitySettings, prices: Prices, costs: Costs) -> Estimate:
    """Estimate a run.

    Args:
        workload: the table and the window.
        settings: the stack's settings, and what the tables and the account allow.
        prices: AWS's.
        costs: what a record costs, measured.
    """
    segments = max(1, min(settings.concurrency, math.ceil(workload.table_bytes / settings.segment_bytes)))
    waves = math.ceil(segments / ACCOUNT_WORKERS)
    read_units = workload.table_bytes / BYTES_PER_READ_UNIT
    write_units = workload.records * math.ceil((workload.item_bytes + workload.added_bytes) / KB)
    stages = tuple(
        _stage(name, segments, waves, needs, settings)
        for name, needs in _needs(workload, settings, costs, segments, read_units, write_units).items()
    )
    invocations = sum(stage.invocations for stage in stages)
    raw, plain = workload.records * workload.wire_bytes, workload.records * workload.record_bytes
    puts, gets = _puts(raw, segments) + _puts(plain, segments), (raw + plain) / READ_BYTES + 2 * segments
    gb_seconds = settings.memory_mb / 1024 * sum(segments * stage.seconds / waves for stage in stages)
    transitions = 6 + 2 * invocations + 3 * segments * (1 if settings.concurrency <= INLINE_WORKERS else 2)
    return Estimate(
        segments=segments,
        waves=waves,
        stages=stages,
        seconds=sum(stage.seconds for stage in stages) + 3 * settings.start_ms / 1000,
        read_units=read_units,
        write_units=write_units,
        staged_bytes=raw + plain,
        puts=puts,
        gets=gets,
        transitions=transitions,
        history_events=history_events(segments, invocations, inline=settings.concurrency <= INLINE_WORKERS),
        state_bytes=segments * costs.state_bytes,
        gb_seconds=gb_seconds,
        dollars={
            "DynamoDB reads": read_units / 1e6 * prices.million_read_units,
            "DynamoDB writes": write_units / 1e6 * prices.million_write_units,
            "Lambda": gb_seconds * prices.lambda_gb_second + invocations / 1e6 * prices.lambda_million_requests,
            "S3": puts / 1e3 * prices.thousand_puts
            + gets / 1e3 * prices.thousand_gets
            + (raw + plain) / GB * prices.gb_month * prices.staged_days / 30,
            "Step Functions": transitions / 1e3 * prices.thousand_transitions,
        },
    )


def _needs(
    workload: Workload, settings: CapacitySettings, costs: Costs, segments: int, read_units: float, write_units: float
) -> dict[str, dict[Bound, float]]:
    """Seconds that each stage needs of each thing: of a worker's for its segment, of a table's for all."""
    pages = workload.table_bytes / PAGE_BYTES / segments
    records = workload.records / segments
    cpu = 1e-6 / settings.cpu_share * workload.wire_bytes / costs.wire_bytes
    page = 1e-6 / settings.cpu_share * costs.page_us
    get = settings.s3_ms / 1000 / READ_BYTES
    reads = settings.read_units_per_second or table_read_units(workload.table_bytes)
    most_writes = min(
        max(TABLE_UNITS, settings.write_units_per_second), settings.max_write_units_per_second or math.inf
    )
    from_raw, from_plain = records * workload.wire_bytes * get, records * workload.record_bytes * get
    return {
        # Pages are fetched while the last is worked on, so that waiting and CPU overlap.
        "extract": {
            "CPU": pages * page + records * costs.extract_us * cpu,
            "latency": pages * settings.scan_ms / 1000,
            "source table": read_units / reads,
        },
        "transform": {"CPU": records * costs.transform_us * cpu + from_raw},
        "load": {
            "CPU": records * costs.load_us * cpu + from_plain,
            "latency": records / BATCH_RECORDS / IN_FLIGHT * settings.write_ms / 1000 + from_plain,
            "destination table": write_seconds(write_units, settings.write_units_per_second, most_writes),
        },
    }


def _stage(
    name: str, segments: int, waves: int, needs: dict[Bound, float], settings: CapacitySettings
) -> StageEstimate:
    bound_by = max(needs, key=lambda each: needs[each])
    each = math.ceil(needs[bound_by] / (INVOCATION_SECONDS * (1 - RESERVE))) or 1
    seconds = waves * (needs[bound_by] + each * settings.start_ms / 1000)
    return StageEstimate(name=name, seconds=seconds, invocations=segments * each, bound_by=bound_by)


def _puts(size: float, segments: int) -> float:
    """Requests that write ``size`` bytes: parts of uploads, and two more to begin and end each object."""
    return size / UPLOAD_BYTES + 2 * max(segments, size / PART_BYTES)


def history_events(segments: int, invocations: int, *, inline: bool) -> int:
    """Events in the history of an execution.

    Start and end 2; Plan, Gate and Finish 5 each (a task: entered, scheduled, started, succeeded, exited); a Map 4,
    and 2 more for a Distributed Map's run. In an inline Map a segment adds 4 (its iteration and its Succeed state),
    an invocation 7 (the task's 5, and 2 of the Choice). Source: API reference of Step Functions, HistoryEvent.
    """
    if not inline:
        return 2 + 3 * 5 + len(STAGES) * 6
    return 2 + 3 * 5 + len(STAGES) * (4 + 4 * segments) + 7 * invocations


def most_invocations(segments: int) -> int:
    """Invocations, of all stages together, that fit in the history of an execution with inline Maps."""
    return (HISTORY_EVENTS - history_events(segments, 0, inline=True)) // 7
