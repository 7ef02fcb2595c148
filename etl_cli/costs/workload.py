"""The items that a run will find and its duration, judged by the runs before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from etl.model.counts import judged
from etl.model.statuses import SUCCEEDED
from etl_cli.costs.capacity import estimate
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.deployed import OLDEST_SIZE, SourceSize
from etl_cli.costs.planned_window import PlannedWindow, hours
from etl_cli.runs.ledger import LedgerEntry

# The number of latest runs to look at.
RECENT = 10
# A run is evidence for another one if the model gives both about the same time, within this factor. One that took less
# or more than that of the model's time had other settings, or an unusual night.
ALIKE = 4


@dataclass(frozen=True)
class Expectation:
    """The expected contents of a window, and the items per hour of the runs before; None without such a run."""

    workload: Workload
    per_hour: float | None
    runs: int


def representative_runs(entries: Iterable[LedgerEntry], before: datetime) -> list[LedgerEntry]:
    """The latest runs that show how much a window holds: they succeeded, had a window, and had ended by then."""
    found = [
        entry
        for entry in entries
        if entry.status == SUCCEEDED
        and not entry.replay
        and entry.window
        and entry.counts.get("scanned")
        and entry.finished
        and entry.finished <= before
    ]
    return found[:RECENT]


def expect(
    window: PlannedWindow, source: SourceSize, runs: Sequence[LedgerEntry], now: datetime, *, whole: bool = False
) -> Expectation:
    """Estimate the contents of a window by representative runs, the latest first.

    Each hour holds the median of the runs. Items without a time, and those ahead, come along with any window. Without
    such runs the window is taken to hold the whole table, the most that is possible; and so it does if the table has no
    change time, which is ``whole``.
    """
    items = source.items
    # The last run may have read more than DescribeTable says.
    if runs and runs[0].finished and now - runs[0].finished < OLDEST_SIZE:
        items = max(items, runs[0].counts["scanned"])
    read, extracted, records = (_sum(runs, name) for name in ("read", "extracted", "records"))
    wire_bytes = _sum(runs, "extract_bytes") / extracted if extracted else 0.0
    item_bytes = _size(source.size_bytes / source.items if source.items else 0.0, wire_bytes)
    rates = [judged(run.counts) / hours(run.window) for run in runs if run.window and not whole]
    per_hour = median(rates) if rates else None
    along = runs[0].counts.get("read", 0) - judged(runs[0].counts) if runs else 0
    found = items if per_hour is None else min(items, per_hour * hours(window.span) + along)
    scale = item_bytes / Workload.item_bytes
    written = _sum(runs, "write_units")
    return Expectation(
        Workload(
            table_bytes=items * item_bytes,
            share=found / items if items else 0.0,
            item_bytes=item_bytes,
            wire_bytes=wire_bytes or Workload.wire_bytes * scale,
            record_bytes=_sum(runs, "transform_bytes") / records if records else Workload.record_bytes * scale,
            kept=records / read if read else 1.0,
            units_per_record=written / _sum(runs, "loaded") if written else None,
        ),
        per_hour,
        len(runs),
    )


def pace(
    expected: Workload, settings: CapacitySettings, costs: Costs, runs: Iterable[LedgerEntry]
) -> tuple[float, int]:
    """The factor by which representative runs of about this size took longer than the model says, and their number.

    Only runs in as many segments count: settings may have changed since the others.
    """
    usual, ratios = estimate(expected, settings, costs), []
    for run in runs:
        if run.segments != usual.segments or not run.seconds:
            continue
        scanned, read = run.counts["scanned"], run.counts.get("read", 0)
        workload = replace(
            expected,
            table_bytes=scanned * expected.item_bytes,
            share=read / scanned,
            kept=run.counts.get("records", 0) / (read or 1),
        )
        seconds = estimate(workload, settings, costs).seconds
        if max(_ratio(seconds, usual.seconds), _ratio(run.seconds, seconds)) <= ALIKE:
            ratios.append(run.seconds / seconds)
    return (median(ratios), len(ratios)) if ratios else (1.0, 0)


def _ratio(one: float, other: float) -> float:
    """The larger of two numbers divided by the smaller."""
    return max(one / other, other / one)


def _sum(runs: Iterable[LedgerEntry], name: str) -> int:
    return sum(run.counts.get(name, 0) for run in runs)


def _size(described: float, wire_bytes: float) -> float:
    """Bytes of an item as DynamoDB counts: the table's average, else by its size in JSON, else the benchmark's."""
    return described or wire_bytes * Workload.item_bytes / Workload.wire_bytes or Workload.item_bytes
