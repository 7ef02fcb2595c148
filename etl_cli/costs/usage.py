"""What a run uses of what AWS bills: by the capacity model's estimate, or by what the run has counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from etl_cli.costs.capacity import (
    BYTES_PER_READ_UNIT,
    INVOCATION_SECONDS,
    Estimate,
    get_requests,
    log_bytes,
    put_requests,
    transitions,
)
from etl_cli.costs.capacity_inputs import KB, STAGES, Workload
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import Entry

# Plan, Gate and Finish call a function each.
STEPS = 3
# Metrics that the functions' log lines carry, those of the whole run and two for each state; and the bucket's, by the
# kinds of a run's requests. Either kind is billed for each hour in which there is a value. Sources: "Amazon CloudWatch
# pricing"; runtime/etl/invocation/metrics.py; S3 User Guide, "Amazon S3 metrics and dimensions".
FUNCTION_METRICS, BUCKET_METRICS, HOUR_SECONDS = 25, 10, 3600


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a run uses of what AWS bills.

    Attributes:
        read_units, write_units: request units of the source and of the destination table.
        gb_seconds: memory of the functions by their time.
        invocations: of the functions.
        transitions: of the execution, and of its children.
        puts, gets: requests to S3.
        staged_bytes: what lies in S3 until it expires.
        log_bytes: what is written to CloudWatch Logs.
        metric_hours: hours of CloudWatch's metrics of functions and bucket.
        events: custom events on EventBridge. Its schedule and what AWS's services send are free.
        traces: recorded by X-Ray.
    """

    read_units: float
    write_units: float
    gb_seconds: float
    invocations: float
    transitions: float
    puts: float
    gets: float
    staged_bytes: float
    log_bytes: float
    metric_hours: float
    events: float = 1
    traces: float = 1


def predicted_usage(found: Estimate) -> Usage:
    """What a run will use, by the capacity model's estimate."""
    return Usage(
        read_units=found.read_units,
        write_units=found.write_units,
        gb_seconds=found.gb_seconds,
        invocations=found.invocations + STEPS,
        transitions=found.transitions,
        puts=found.puts,
        gets=found.gets,
        staged_bytes=found.staged_bytes,
        log_bytes=found.log_bytes,
        metric_hours=_metric_hours(found.seconds),
    )


def counted_usage(entry: Entry, timeline: Timeline | None, memory_mb: int) -> tuple[Usage, tuple[str, ...]]:
    """What a run has used, as far as it has come, and the names of what is reckoned and not counted.

    Reckoned are requests to S3 and logs, always; the calls of a Distributed Map, which are in its children's histories;
    the units of a run from before they were counted.

    Args:
        entry: the run's entry in the ledger.
        timeline: its whole history; None when Step Functions has it no more.
        memory_mb: the functions' memory.
    """
    counts = entry.counts or _counts_so_far(timeline)
    segments = max(1, entry.segments)
    steps, maps = _calls(entry, timeline, segments)
    inline = all(each.counted for each in maps)
    staged = [counts.get(f"{stage}_bytes", 0) for stage in ("extract", "transform")]
    parts = [counts.get(f"{stage}_parts", 0) for stage in ("extract", "transform")]
    invocations = sum(each.number for each in maps)
    usage = Usage(
        read_units=counts.get("read_units", _read_units(counts)),
        write_units=counts.get("write_units", _write_units(counts)),
        gb_seconds=memory_mb / 1024 * sum(each.seconds for each in (*steps, *maps)),
        invocations=invocations + sum(each.number for each in steps),
        transitions=transitions(segments, invocations, inline=inline) + _throttled_starts(timeline),
        puts=sum(map(put_requests, staged, parts)),
        gets=sum(map(get_requests, staged, parts)),
        staged_bytes=sum(staged),
        log_bytes=log_bytes(segments, invocations),
        metric_hours=_metric_hours(entry.seconds or 0.0),
    )
    reckoned = [name for name in ("read_units", "write_units") if name not in counts]
    if not inline or not timeline:
        reckoned += ["gb_seconds", "invocations", "transitions"]
    elif entry.status != "SUCCEEDED":  # it didn't pass all states, and passed others
        reckoned.append("transitions")
    return usage, (*reckoned, "puts", "gets", "log_bytes")


class _Calls(NamedTuple):
    """The calls of a stage's function: their time by the clock, their number, whether the history has them."""

    seconds: float
    number: int
    counted: bool = True


def _calls(entry: Entry, timeline: Timeline | None, segments: int) -> tuple[list[_Calls], list[_Calls]]:
    """The calls of Plan, Gate and Finish, and those of the three Maps."""
    if timeline is None:
        each = (entry.seconds or 0.0) / len(STAGES)
        return [_Calls(0.0, 1, counted=False)] * STEPS, [_workers(each, segments)] * len(STAGES)
    steps, maps = [], []
    for stage in timeline.stages.values():
        number = stage.invocations + stage.failed_invocations
        calls = _Calls(stage.busy_seconds, number)
        if stage.name.lower() not in STAGES:
            steps.append(calls)
        elif number or stage.throttled_starts or stage.state == "waiting":
            maps.append(calls)
        else:
            maps.append(_workers(stage.seconds or 0.0, segments))
    return steps, maps


def _throttled_starts(timeline: Timeline | None) -> int:
    """Starts that were tried again. Source: "AWS Step Functions pricing": a retry is a transition."""
    return sum(stage.throttled_starts for stage in timeline.stages.values()) if timeline else 0


def _workers(seconds: float, segments: int) -> _Calls:
    """The calls of a Map that took so long, if no worker ended before the others: the most it can be."""
    return _Calls(segments * seconds, segments * max(1, math.ceil(seconds / INVOCATION_SECONDS)), counted=False)


def _counts_so_far(timeline: Timeline | None) -> dict[str, int]:
    """What a run that has no counts in the ledger had counted, as far as it came."""
    counts: dict[str, int] = {}
    for stage in timeline.stages.values() if timeline else ():
        counts |= stage.counts
    return counts


def _read_units(counts: dict[str, int]) -> float:
    """Read units of what was scanned, by the size of what was extracted."""
    wire_bytes = counts.get("extract_bytes", 0) / (counts.get("extracted", 0) or 1) or Workload.wire_bytes
    item_bytes = wire_bytes * Workload.item_bytes / Workload.wire_bytes
    return counts.get("scanned", 0) * item_bytes / BYTES_PER_READ_UNIT


def _write_units(counts: dict[str, int]) -> float:
    """Write units of the records that were loaded, by their size as they were staged."""
    record_bytes = counts.get("transform_bytes", 0) / (counts.get("records", 0) or 1)
    item_bytes = record_bytes * (Workload.item_bytes + Workload.added_bytes) / Workload.record_bytes
    return counts.get("loaded", 0) * math.ceil(item_bytes / KB)


def _metric_hours(seconds: float) -> int:
    return (FUNCTION_METRICS + BUCKET_METRICS) * max(1, math.ceil(seconds / HOUR_SECONDS))
