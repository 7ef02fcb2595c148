"""The amounts that a run has used, from the ledger and the execution's history."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from etl.model.stages import BY_STATE, MAPS, STAGED
from etl.model.statuses import SUCCEEDED
from etl_cli.costs.capacity import INVOCATION_SECONDS
from etl_cli.costs.capacity_inputs import Workload
from etl_cli.costs.usage import (
    BYTES_PER_READ_UNIT,
    KB,
    STEPS,
    Usage,
    get_requests,
    log_bytes,
    metric_hours,
    put_requests,
    transitions,
)
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import LedgerEntry


def counted_usage(entry: LedgerEntry, timeline: Timeline | None, memory_mb: int) -> tuple[Usage, tuple[str, ...]]:
    """The amounts that a run has used so far, and the names of those that are estimated.

    Requests to S3 and logs are always estimated. So are the calls of a Distributed Map, whose children have histories
    of their own, and the units of a run from before they were counted.
    """
    counts = entry.counts or (timeline.counts if timeline else {})
    segments = max(1, entry.segments)
    steps, maps = _calls(entry, timeline, segments)
    inline = all(each.counted for each in maps)
    staged = [counts.get(f"{stage}_bytes", 0) for stage in STAGED]
    parts = [counts.get(f"{stage}_parts", 0) for stage in STAGED]
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
        metric_hours=metric_hours(entry.seconds or 0.0),
    )
    estimated = [name for name in ("read_units", "write_units") if name not in counts]
    if not inline or not timeline:
        estimated += ["gb_seconds", "invocations", "transitions"]
    elif entry.status != SUCCEEDED:  # it passed other states than a run that succeeds
        estimated.append("transitions")
    return usage, (*estimated, "puts", "gets", "log_bytes")


class _Calls(NamedTuple):
    """The calls of a stage's function: their duration, their number, and whether the history has them."""

    seconds: float
    number: int
    counted: bool = True


def _calls(entry: LedgerEntry, timeline: Timeline | None, segments: int) -> tuple[list[_Calls], list[_Calls]]:
    """The calls of Plan, Gate and Finish, and those of the three Maps."""
    if timeline is None:
        each = (entry.seconds or 0.0) / len(MAPS)
        return [_Calls(0.0, 1, counted=False)] * STEPS, [_workers(each, segments)] * len(MAPS)
    steps, maps = [], []
    for stage in timeline.stages.values():
        number = stage.invocations + stage.failed_invocations
        calls = _Calls(stage.busy_seconds, number)
        if not BY_STATE[stage.name].is_map:
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
    """The most calls that a Map of this duration can have had: all workers until its end."""
    return _Calls(segments * seconds, segments * max(1, math.ceil(seconds / INVOCATION_SECONDS)), counted=False)


def _read_units(counts: Mapping[str, int]) -> float:
    """Read units of the scanned items, by the size of those that were extracted."""
    wire_bytes = counts.get("extract_bytes", 0) / (counts.get("extracted", 0) or 1) or Workload.wire_bytes
    item_bytes = wire_bytes * Workload.item_bytes / Workload.wire_bytes
    return counts.get("scanned", 0) * item_bytes / BYTES_PER_READ_UNIT


def _write_units(counts: Mapping[str, int]) -> float:
    """Write units of the loaded records, by their staged size."""
    record_bytes = counts.get("transform_bytes", 0) / (counts.get("records", 0) or 1)
    item_bytes = record_bytes * (Workload.item_bytes + Workload.added_bytes) / Workload.record_bytes
    return counts.get("loaded", 0) * math.ceil(item_bytes / KB)
