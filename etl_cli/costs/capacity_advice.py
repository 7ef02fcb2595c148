"""Advice from the capacity model: settings and quotas to raise, the largest table, the price of an export."""

from __future__ import annotations

import math
from dataclasses import replace

from etl.model.limits import HISTORY_EVENTS, MOST_INLINE_WORKERS, STATE_BYTES
from etl_cli.costs.capacity import TABLE_UNITS, Bound, Estimate, estimate, most_segments, table_read_units
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload

REMEDIES: dict[Bound, str] = {
    "CPU": "raise concurrency or lower segment_bytes; a larger memory_mb gives more CPU, up to 1769",
    "latency": "raise concurrency or lower segment_bytes",
    "source table": "raise the source table's warm throughput, and above 40,000 units a second its quota; or export it",
    "ceiling on reads": "raise source_read_units_per_second, or set it to 0 for no ceiling",
    "destination table": "raise the destination table's warm throughput, and above 40,000 units a second its quota",
}

# Steps by which an operator raises things; above 40,000 units a quota must be raised first.
_WORKERS = (40, 100, 200, 400, 1_000)
_UNITS = (4_000, 12_000, 24_000, 40_000, 80_000, 160_000, 320_000)
# The share of its time that a run may fill; the rest is for unusual nights.
FILLED = 0.8


def problems(found: Estimate, settings: CapacitySettings) -> list[str]:
    """The reasons why a run doesn't fit these settings, each with its remedy; empty if it fits."""
    against = []
    if found.seconds > settings.timeout_seconds:
        slowest, has = found.slowest, settings.timeout_seconds / 60
        against.append(
            f"it takes {found.seconds / 60:,.0f} minutes and has {has:,.0f}; {slowest.name} takes longest, because of "
            f"the {slowest.bound_by}: {_remedy(found, settings)}"
        )
    if found.history_events > HISTORY_EVENTS:
        against.append(
            f"its history would have {found.history_events:,} events and may have {HISTORY_EVENTS:,}: set "
            f"concurrency above {MOST_INLINE_WORKERS}, so that each segment has a history of its own"
        )
    if found.state_bytes > STATE_BYTES:
        against.append(
            f"its state would have {found.state_bytes:,.0f} bytes and may have {STATE_BYTES:,}: lower concurrency"
        )
    return against


def needs_quota(advised: CapacitySettings, now: CapacitySettings) -> bool:
    """Whether a table needs more units a second than its default quota, and than it has now."""
    return advised.write_units_per_second > max(TABLE_UNITS, now.write_units_per_second) or (
        advised.read_units_per_second or 0
    ) > max(TABLE_UNITS, now.read_units_per_second or 0)


def _remedy(found: Estimate, settings: CapacitySettings) -> str:
    bound_by = found.slowest.bound_by
    if bound_by in ("CPU", "latency") and found.waves > 1:
        return "workers take turns: ask Service Quotas for more concurrent executions of Lambda"
    if bound_by in ("CPU", "latency") and found.segments == most_segments(settings) < settings.concurrency:
        ceiling = f"{settings.source_read_units_per_second:,} read units a second"
        return f"a ceiling of {ceiling} allows {found.segments:,} workers: {REMEDIES['ceiling on reads']}"
    if bound_by == "destination table" and _ceiling_binds(settings):
        return "raise max_write_units_per_second, or set it to 0 for no ceiling"
    return REMEDIES[bound_by]


def _ceiling_binds(settings: CapacitySettings) -> bool:
    return 0 < settings.max_write_units_per_second <= settings.write_units_per_second


def recommend(workload: Workload, settings: CapacitySettings, costs: Costs) -> CapacitySettings:
    """Raise the bottleneck a step at a time, until the run fills at most 80 % of its time.

    The bottleneck is a table's throughput (a ceiling on it, its warm throughput, then its quota) or the number of
    workers. If nothing is left to raise, raise the state machine's time-out.
    """
    while True:
        found = estimate(workload, settings, costs)
        if found.seconds <= FILLED * settings.timeout_seconds:
            return settings
        raised = _raised(workload, settings, found)
        if raised == settings:
            hours = math.ceil(found.seconds / FILLED / 3600)
            return replace(settings, timeout_seconds=hours * 3600)
        settings = raised


def _raised(workload: Workload, settings: CapacitySettings, found: Estimate) -> CapacitySettings:
    """Raise the bottleneck of the slowest stage that has one to raise, by a step; the same settings if none has."""
    at_once = settings.functions_at_once  # more workers would only take turns
    for stage in sorted(found.stages, key=lambda each: -each.seconds):
        if stage.bound_by == "source table":
            units = settings.read_units_per_second or table_read_units(workload.table_bytes)
            raised = replace(settings, read_units_per_second=_next(_UNITS, units))
        elif stage.bound_by == "ceiling on reads":
            raised = _with_more_reads(settings)
        elif stage.bound_by == "destination table" and _ceiling_binds(settings):
            raised = replace(settings, max_write_units_per_second=_next(_UNITS, settings.max_write_units_per_second))
        elif stage.bound_by == "destination table":
            raised = replace(settings, write_units_per_second=_next(_UNITS, settings.write_units_per_second))
        elif found.segments < min(most_segments(settings), at_once):
            raised = replace(settings, segment_bytes=settings.segment_bytes / 2)
        elif found.segments < min(settings.concurrency, at_once):
            raised = _with_more_reads(settings)
        else:
            more = min(int(_next(_WORKERS, settings.concurrency)), at_once)
            raised = replace(settings, concurrency=max(settings.concurrency, more))
        if raised != settings:
            return raised
    return settings


def _with_more_reads(settings: CapacitySettings) -> CapacitySettings:
    return replace(settings, source_read_units_per_second=2 * settings.source_read_units_per_second)


def _next(steps: tuple[int, ...], value: float) -> float:
    return next((step for step in steps if step > value), value)
