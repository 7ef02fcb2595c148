"""The capacity model: the time and the units that a run takes. docs/scaling.md explains it.

Nothing here calls AWS. A run is three stages, one after the other. Each is as slow as the slowest of its needs: its
workers' CPU, their waiting, the source table's throughput, the destination table's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from etl.model.limits import IN_FLIGHT, MOST_INLINE_WORKERS, READ_BYTES, RESERVED_SHARE
from etl.model.stages import EXTRACT, LOAD, MAPS, TRANSFORM
from etl.model.statuses import INVOCATION_LIMIT
from etl.staging.batches import BATCH_RECORDS
from etl.tables.read_pace import readers
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.usage import (
    BYTES_PER_READ_UNIT,
    GB,
    KB,
    MB,
    STEPS,
    Usage,
    get_requests,
    history_events,
    log_bytes,
    metric_hours,
    put_requests,
    transitions,
)

Bound = Literal["CPU", "latency", "source table", "ceiling on reads", "destination table"]

# Source: API reference of Scan.
PAGE_BYTES = MB
# Default quota of a table, an on-demand table's first throughput, a partition's. Sources: DynamoDB Developer Guide,
# "Quotas in Amazon DynamoDB", "Understanding DynamoDB warm throughput…", "Partitions and data distribution".
TABLE_UNITS, NEW_TABLE_READ_UNITS, PARTITION_READ_UNITS, PARTITION_BYTES = 40_000, 12_000, 3_000, 10 * GB
DOUBLING_SECONDS = 30 * 60
INVOCATION_SECONDS = INVOCATION_LIMIT.total_seconds()


@dataclass(frozen=True, kw_only=True)
class StageEstimate:
    """One stage of a run, its invocations (with continuations) and its slowest need."""

    name: str
    seconds: float
    invocations: int
    bound_by: Bound


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The time and the units that a run takes.

    The workers of a stage take turns in ``waves``. The events are those of the execution's own history:
    children of a Distributed Map have their own.
    """

    segments: int
    waves: int
    stages: tuple[StageEstimate, ...]
    seconds: float
    history_events: int
    state_bytes: float
    usage: Usage

    @property
    def invocations(self) -> int:
        """Lambda invocations of the three stages."""
        return sum(stage.invocations for stage in self.stages)

    @property
    def slowest(self) -> StageEstimate:
        """The stage that takes longest."""
        return max(self.stages, key=lambda stage: stage.seconds)


def table_read_units(table_bytes: float) -> float:
    """Read units a second of an on-demand table of this size, within the default quota."""
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


def most_segments(settings: CapacitySettings) -> int:
    """The most segments of a table of any size."""
    return readers(settings.source_read_units_per_second, settings.concurrency)


def estimate(workload: Workload, settings: CapacitySettings, costs: Costs) -> Estimate:
    """Estimate a run."""
    segments = max(1, min(most_segments(settings), math.ceil(workload.table_bytes / settings.segment_bytes)))
    waves = math.ceil(segments / settings.functions_at_once)
    read_units = workload.table_bytes / BYTES_PER_READ_UNIT
    by_size = math.ceil((workload.item_bytes + workload.added_bytes) / KB)
    write_units = workload.records * (workload.units_per_record or by_size)
    needs = _needs(workload, settings, costs, segments, read_units, write_units)
    # A stage that the model doesn't know counts like Transform.
    known = [(each.action, needs.get(each.action, needs[TRANSFORM])) for each in MAPS]
    stages = tuple(_stage(action, segments, waves, need, settings) for action, need in known)
    seconds = sum(stage.seconds for stage in stages) + STEPS * settings.pace * settings.start_ms / 1000
    invocations = sum(stage.invocations for stage in stages)
    raw, plain = workload.read * workload.wire_bytes, workload.records * workload.record_bytes
    inline = settings.concurrency <= MOST_INLINE_WORKERS
    return Estimate(
        segments=segments,
        waves=waves,
        stages=stages,
        seconds=seconds,
        history_events=history_events(segments, invocations, inline=inline),
        state_bytes=segments * costs.state_bytes,
        usage=Usage(
            read_units=read_units,
            write_units=write_units,
            gb_seconds=settings.memory_mb / 1024 * sum(segments * stage.seconds / waves for stage in stages),
            invocations=invocations + STEPS,
            transitions=transitions(segments, invocations, inline=inline),
            puts=put_requests(raw, segments) + put_requests(plain, segments),
            gets=get_requests(raw, segments) + get_requests(plain, segments),
            staged_bytes=raw + plain,
            log_bytes=log_bytes(segments, invocations),
            metric_hours=metric_hours(seconds),
        ),
    )


def _needs(
    workload: Workload, settings: CapacitySettings, costs: Costs, segments: int, read_units: float, write_units: float
) -> dict[str, dict[Bound, float]]:
    """Seconds of each need of each stage: a worker's for its segment, a table's for all segments."""
    pages = workload.table_bytes / PAGE_BYTES / segments
    read, records = workload.read / segments, workload.records / segments
    cpu = 1e-6 / settings.cpu_share * workload.wire_bytes / costs.wire_bytes
    page = 1e-6 / settings.cpu_share * costs.page_us
    get = settings.s3_ms / 1000 / READ_BYTES
    reads = settings.read_units_per_second or table_read_units(workload.table_bytes)
    # A worker keeps its segment's share of a ceiling while others wait for their turn.
    at_work = min(1, settings.functions_at_once / segments)
    most_reads = (settings.source_read_units_per_second or math.inf) * at_work
    ceiling = (settings.max_write_units_per_second or math.inf) * at_work
    most_writes = min(max(TABLE_UNITS, settings.write_units_per_second), ceiling)
    from_raw, from_plain = read * workload.wire_bytes * get, records * workload.record_bytes * get
    return {
        # The next page is fetched during the work on the last one: waiting and CPU overlap.
        EXTRACT: {
            "CPU": pages * page + read * costs.extract_us * cpu,
            "latency": pages * settings.scan_ms / 1000,
            "source table": read_units / reads,
            "ceiling on reads": read_units / most_reads,
        },
        TRANSFORM: {"CPU": read * costs.transform_us * cpu + from_raw},
        LOAD: {
            "CPU": records * costs.load_us * cpu + from_plain,
            "latency": records / BATCH_RECORDS / IN_FLIGHT * settings.write_ms / 1000 + from_plain,
            "destination table": write_seconds(write_units, settings.write_units_per_second, most_writes),
        },
    }


def _stage(
    name: str, segments: int, waves: int, needs: dict[Bound, float], settings: CapacitySettings
) -> StageEstimate:
    # A table serves all workers of a stage, whether or not they take turns.
    whole = {need: seconds * (waves if need in ("CPU", "latency") else 1) for need, seconds in needs.items()}
    bound_by = max(whole, key=lambda each: whole[each])
    needed = settings.pace * whole[bound_by]
    each = math.ceil(needed / waves / (INVOCATION_SECONDS * (1 - RESERVED_SHARE))) or 1
    seconds = needed + waves * each * settings.pace * settings.start_ms / 1000
    return StageEstimate(name=name, seconds=seconds, invocations=segments * each, bound_by=bound_by)
