"""The capacity model: what a run of the pipeline takes, in time and in units. docs/scaling.md explains it.

Nothing here calls AWS. A run is three stages one after the other, each as slow as the slowest of what it needs: its
workers' CPU, their waiting, what the source table delivers, what the destination table takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from etl_cli.costs.capacity_inputs import GB, KB, MB, STAGES, CapacitySettings, Costs, Workload

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
# An inline Map runs at most 40 at once, an execution's history has at most 25,000 events, a state 256 KiB. Source: Step
# Functions Developer Guide, "Service quotas".
INLINE_WORKERS, HISTORY_EVENTS, STATE_BYTES = 40, 25_000, 256 * KB

# What is logged of an event of a history, without the data of its states, and of an invocation: Lambda's START, END and
# REPORT, and a line or two of the function's own. Assumptions, from the shape of these lines.
EVENT_LOG_BYTES, INVOCATION_LOG_BYTES = 500, 1_500


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
        log_bytes: what the functions and Step Functions log.
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
    log_bytes: float

    @property
    def invocations(self) -> int:
        """Lambda invocations of the three stages."""
        return sum(stage.invocations for stage in self.stages)

    @property
    def slowest(self) -> StageEstimate:
        """The stage that takes longest."""
        return max(self.stages, key=lambda stage: stage.seconds)


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


def estimate(workload: Workload, settings: CapacitySettings, costs: Costs) -> Estimate:
    """Estimate a run.

    Args:
        workload: the table and the window.
        settings: the stack's settings, and what the tables and the account allow.
        costs: what a record costs, measured.
    """
    segments = max(1, min(settings.concurrency, math.ceil(workload.table_bytes / settings.segment_bytes)))
    waves = math.ceil(segments / settings.functions_at_once)
    read_units = workload.table_bytes / BYTES_PER_READ_UNIT
    reckoned = math.ceil((workload.item_bytes + workload.added_bytes) / KB)
    write_units = workload.records * (workload.units_per_record or reckoned)
    stages = tuple(
        _stage(name, segments, waves, needs, settings)
        for name, needs in _needs(workload, settings, costs, segments, read_units, write_units).items()
    )
    invocations = sum(stage.invocations for stage in stages)
    raw, plain = workload.read * workload.wire_bytes, workload.records * workload.record_bytes
    inline = settings.concurrency <= INLINE_WORKERS
    return Estimate(
        segments=segments,
        waves=waves,
        stages=stages,
        seconds=sum(stage.seconds for stage in stages) + 3 * settings.pace * settings.start_ms / 1000,
        read_units=read_units,
        write_units=write_units,
        staged_bytes=raw + plain,
        puts=put_requests(raw, segments) + put_requests(plain, segments),
        gets=get_requests(raw, segments) + get_requests(plain, segments),
        transitions=transitions(segments, invocations, inline=inline),
        history_events=history_events(segments, invocations, inline=inline),
        state_bytes=segments * costs.state_bytes,
        gb_seconds=settings.memory_mb / 1024 * sum(segments * stage.seconds / waves for stage in stages),
        log_bytes=log_bytes(segments, invocations),
    )


def _needs(
    workload: Workload, settings: CapacitySettings, costs: Costs, segments: int, read_units: float, write_units: float
) -> dict[str, dict[Bound, float]]:
    """Seconds that each stage needs of each thing: of a worker's for its segment, of a table's for all."""
    pages = workload.table_bytes / PAGE_BYTES / segments
    read, records = workload.read / segments, workload.records / segments
    cpu = 1e-6 / settings.cpu_share * workload.wire_bytes / costs.wire_bytes
    page = 1e-6 / settings.cpu_share * costs.page_us
    get = settings.s3_ms / 1000 / READ_BYTES
    reads = settings.read_units_per_second or table_read_units(workload.table_bytes)
    # A worker has its segment's share of the ceiling, also when it's not the turn of others.
    ceiling = (settings.max_write_units_per_second or math.inf) * min(1, settings.functions_at_once / segments)
    most_writes = min(max(TABLE_UNITS, settings.write_units_per_second), ceiling)
    from_raw, from_plain = read * workload.wire_bytes * get, records * workload.record_bytes * get
    return {
        # Pages are fetched while the last is worked on, so that waiting and CPU overlap.
        "extract": {
            "CPU": pages * page + read * costs.extract_us * cpu,
            "latency": pages * settings.scan_ms / 1000,
            "source table": read_units / reads,
        },
        "transform": {"CPU": read * costs.transform_us * cpu + from_raw},
        "load": {
            "CPU": records * costs.load_us * cpu + from_plain,
            "latency": records / BATCH_RECORDS / IN_FLIGHT * settings.write_ms / 1000 + from_plain,
            "destination table": write_seconds(write_units, settings.write_units_per_second, most_writes),
        },
    }


def _stage(
    name: str, segments: int, waves: int, needs: dict[Bound, float], settings: CapacitySettings
) -> StageEstimate:
    # A table serves all workers of a stage, whether they take turns or not.
    whole = {need: seconds * (waves if need in ("CPU", "latency") else 1) for need, seconds in needs.items()}
    bound_by = max(whole, key=lambda each: whole[each])
    needed = settings.pace * whole[bound_by]
    each = math.ceil(needed / waves / (INVOCATION_SECONDS * (1 - RESERVE))) or 1
    seconds = needed + waves * each * settings.pace * settings.start_ms / 1000
    return StageEstimate(name=name, seconds=seconds, invocations=segments * each, bound_by=bound_by)


def put_requests(size: float, parts: float) -> float:
    """Requests that write ``size`` bytes as so many objects, or as many more as they fill.

    An object and its seal; of one that is uploaded in parts, these, and one more to begin it.
    """
    objects = max(parts, size / PART_BYTES)
    return 2 * objects if size <= objects * UPLOAD_BYTES else size / UPLOAD_BYTES + 3 * objects


def get_requests(size: float, parts: float) -> float:
    """Requests that read ``size`` bytes of so many objects, or as many more as they fill, and their seals."""
    return size / READ_BYTES + 2 * max(parts, size / PART_BYTES)


def transitions(segments: int, invocations: int, *, inline: bool) -> int:
    """State transitions of an execution, and of the children of its Maps.

    Eight states; a task and a Choice for each invocation of a segment; a Succeed for each segment in each Map. A
    segment of a Distributed Map is an execution of its own, which is one more to begin.
    """
    return 8 + 2 * invocations + len(STAGES) * segments * (1 if inline else 2)


def log_bytes(segments: int, invocations: int) -> float:
    """What an execution logs: its own events, and what its functions and Lambda write of each invocation."""
    events = history_events(segments, invocations, inline=True)
    return events * EVENT_LOG_BYTES + (invocations + 3) * INVOCATION_LOG_BYTES


def history_events(segments: int, invocations: int, *, inline: bool) -> int:
    """Events in the history of an execution.

    Start and end 2; Plan, Gate, Finish and AnnounceSuccess 5 each (a task: entered, scheduled, started, succeeded,
    exited); Succeeded 2; a Map 4, and 2 more for a Distributed Map's run. In an inline Map a segment adds 4 (its
    iteration and its Succeed state), an invocation 7 (the task's 5, and 2 of the Choice). Source: API reference of Step
    Functions, HistoryEvent.
    """
    around = 2 + 4 * 5 + 2
    if not inline:
        return around + len(STAGES) * 6
    return around + len(STAGES) * (4 + 4 * segments) + 7 * invocations


def most_invocations(segments: int) -> int:
    """Invocations, of all stages together, that fit in the history of an execution with inline Maps."""
    return (HISTORY_EVENTS - history_events(segments, 0, inline=True)) // 7
