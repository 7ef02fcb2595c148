"""A plan: the time and cost of a run with today's settings, and with settings that make it fit."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from etl.model.instants import format_instant
from etl_cli.aws.cli_lines import aws
from etl_cli.aws.deploy_line import deploy_line, is_local
from etl_cli.costs.capacity import Estimate, estimate
from etl_cli.costs.capacity_advice import FILLED, problems, recommend
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs
from etl_cli.costs.cost import Cost, predicted
from etl_cli.costs.deployed import Deployed
from etl_cli.costs.planned_window import PlannedWindow, hours
from etl_cli.costs.prices import PriceList
from etl_cli.costs.workload import Expectation, expect, pace, representative_runs
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.printable import shell_words

_CONTEXT = ("concurrency", "segment_bytes", "source_read_units_per_second", "max_write_units_per_second")


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A run with some settings, which include the pace of earlier runs."""

    settings: CapacitySettings
    found: Estimate
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The same window in parts that fit today's settings: their hours, their number, and the dollars of all parts."""

    hours: int
    number: int
    each: Outlook
    dollars: Decimal


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The time and cost of a run with today's settings, and changes that make it fit.

    Attributes:
        alike: number of runs of about its size, whose durations set the pace.
        problems: the reasons why it doesn't fit, each with its remedy; empty if it fits.
        advice: with settings that make it fit; None if it fits, or if no setting helps.
        parts: None if the run fits, if a part of an hour doesn't, or if no run shows how much an hour holds.
    """

    window: PlannedWindow
    deployed: Deployed
    expected: Expectation
    alike: int
    outlook: Outlook
    problems: tuple[str, ...]
    advice: Outlook | None
    parts: Parts | None


def make_plan(
    window: PlannedWindow,
    deployed: Deployed,
    runs: Sequence[LedgerEntry],
    prices: PriceList,
    now: datetime,
    costs: Costs | None = None,
) -> Plan:
    """Plan a run by representative runs, the latest first; without costs by the latest measurement."""
    costs = costs or Costs.read()
    expected = expect(window, deployed.source, runs, now, whole=deployed.schema.time.format == "none")
    factor, alike = pace(expected.workload, deployed.capacity, costs, runs)
    settings = replace(deployed.capacity, pace=factor)

    def outlook(chosen: CapacitySettings, share: float = 1.0) -> Outlook:
        part = replace(expected.workload, share=expected.workload.share * share)
        found = estimate(part, chosen, costs)
        return Outlook(settings=chosen, found=found, cost=predicted(found, prices, chosen.architecture))

    usual = outlook(settings)
    against = problems(usual.found, settings)
    advised = recommend(expected.workload, settings, costs) if against else settings
    if deployed.room and deployed.room.barred:
        against.append(f"{deployed.room.barred}; `etl doctor` has the command that removes the reservation")
    divisible = expected.per_hour is not None and usual.found.seconds > settings.timeout_seconds
    return Plan(
        window=window,
        deployed=deployed,
        expected=expected,
        alike=alike,
        outlook=usual,
        problems=tuple(against),
        advice=outlook(advised) if advised != settings else None,
        parts=_parts(hours(window.span), lambda share: outlook(settings, share)) if divisible else None,
    )


def _parts(length: float, outlook: Callable[[float], Outlook]) -> Parts | None:
    """The longest parts that fit, in whole hours; in whole days if they are longer than a day."""

    def fits(part: int) -> bool:
        found = outlook(part / length)
        return found.found.seconds <= FILLED * found.settings.timeout_seconds

    candidates = range(1, math.ceil(length))
    longest = bisect_left(candidates, True, key=lambda part: not fits(part))
    if longest == 0:
        return None
    part = longest - longest % 24 if longest > 24 else longest
    number, each = math.ceil(length / part), outlook(part / length)
    last = outlook(1 - (number - 1) * part / length)
    return Parts(hours=part, number=number, each=each, dollars=(number - 1) * each.cost.total + last.cost.total)


def predicted_cost(
    entry: LedgerEntry, entries: Sequence[LedgerEntry], deployed: Deployed, prices: PriceList
) -> Cost | None:
    """The cost that `etl plan` would have predicted for a run before it began; None for a run without a window.

    It uses the runs before it (entries are the whole ledger, the latest first), today's settings, and the size of the
    table that the run found.
    """
    if entry.window is None or entry.started is None or entry.replay:
        return None
    source = deployed.source
    scanned = entry.counts.get("scanned")
    if scanned and source.items:
        source = replace(source, items=scanned, size_bytes=round(scanned * source.size_bytes / source.items))
    window = PlannedWindow(entry.window, "")
    runs = representative_runs(entries, entry.started)
    return make_plan(window, replace(deployed, source=source), runs, prices, entry.started).outlook.cost


def advice_lines(plan: Plan, etl: EtlLines) -> list[str]:
    """The commands that set the advised settings; empty if none are, or only a longer time-out."""
    if plan.advice is None:
        return []
    now, then, deployed = plan.outlook.settings, plan.advice.settings, plan.deployed
    lines = []
    if then.write_units_per_second != now.write_units_per_second:
        lines.append(_warm(deployed.destination, "WriteUnitsPerSecond", then.write_units_per_second, etl))
    if then.read_units_per_second and then.read_units_per_second != now.read_units_per_second:
        lines.append(_warm(deployed.source.name, "ReadUnitsPerSecond", then.read_units_per_second, etl))
    changed = [name for name in _CONTEXT if getattr(then, name) != getattr(now, name)]
    if changed:
        line = deploy_line(deployed.endpoint, deployed.names, [f"{name}={getattr(then, name):.0f}" for name in changed])
        profile = ["--profile", shell_words(etl.profile)] if etl.profile and not is_local(deployed.endpoint) else []
        lines.append(" ".join([line, *profile]))
    return lines


def parts_line(plan: Plan, etl: EtlLines) -> str:
    """The command that runs the window in parts; empty if that doesn't help."""
    if plan.parts is None:
        return ""
    start, end = map(format_instant, plan.window.span)
    length = plan.parts.hours
    step = f"{length // 24}d" if length % 24 == 0 else f"{length}h"
    return etl.line("backfill", "--from", start, "--to", end, "--step", step)


def _warm(table: str, name: str, units: float, etl: EtlLines) -> str:
    words = ("dynamodb", "update-table", "--table-name", table, "--warm-throughput", f"{name}={units:.0f}")
    return aws(*words, options=etl.options)
