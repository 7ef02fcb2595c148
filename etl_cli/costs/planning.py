"""Puts a plan together: what a run would take with the settings as they are, and with those that make it fit."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from etl_cli.costs.capacity import Estimate, estimate
from etl_cli.costs.capacity_advice import FILLED, problems, recommend
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs
from etl_cli.costs.cost import Cost, predicted
from etl_cli.costs.deployed import Deployed, SourceSize
from etl_cli.costs.function_room import Room
from etl_cli.costs.prices import PriceList
from etl_cli.costs.window import PlannedWindow, hours
from etl_cli.costs.workload import Expectation, expect, pace, telling
from etl_cli.runs.ledger import Entry


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a run takes with some settings.

    Attributes:
        settings: the settings, with the pace of the runs before.
        found: by the capacity model.
        cost: for that.
    """

    settings: CapacitySettings
    found: Estimate
    cost: Cost


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The same window run in parts that fit, with the settings as they are.

    Attributes:
        hours: length of a part.
        number: how many there are.
        each: one of them.
        dollars: what all of them cost; the last one may be shorter.
    """

    hours: int
    number: int
    each: Outlook
    dollars: Decimal


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run would take, and what would make it fit if it doesn't.

    Attributes:
        window: its window.
        source: the table that it reads.
        destination: name of the table that it writes.
        endpoint: of a service where these are.
        room: how many workers Lambda runs at once; None where it can't be seen.
        expected: what it will find.
        alike: how many runs of about its size have told how long it takes.
        outlook: with the settings as they are.
        problems: what stands against it, each with its remedy; empty when it fits.
        advice: with settings that make it fit; None when it fits, or when no setting helps.
        parts: None when it fits, when a part of an hour doesn't either, or when no run has told what an hour holds.
    """

    window: PlannedWindow
    source: SourceSize
    destination: str
    endpoint: str
    room: Room | None
    expected: Expectation
    alike: int
    outlook: Outlook
    problems: tuple[str, ...]
    advice: Outlook | None
    parts: Parts | None


def make_plan(
    window: PlannedWindow,
    deployed: Deployed,
    runs: Sequence[Entry],
    prices: PriceList,
    now: datetime,
    costs: Costs | None = None,
) -> Plan:
    """What a run of a window would take.

    Args:
        window: its window.
        deployed: the pipeline.
        runs: the runs that tell what to expect, the latest first; see `telling`.
        prices: what AWS asks.
        now: the present.
        costs: what a record costs; None for what was measured last.
    """
    costs = costs or Costs.read()
    expected = expect(window, deployed.source, runs, now)
    times, alike = pace(expected.workload, deployed.capacity, costs, runs)
    settings = replace(deployed.capacity, pace=times)

    def outlook(chosen: CapacitySettings, share: float = 1.0) -> Outlook:
        part = replace(expected.workload, share=expected.workload.share * share)
        found = estimate(part, chosen, costs)
        return Outlook(settings=chosen, found=found, cost=predicted(found, prices, deployed.functions.architecture))

    usual = outlook(settings)
    against = problems(usual.found, settings)
    advised = recommend(expected.workload, settings, costs) if against else settings
    if deployed.room and deployed.room.barred:
        against.append(f"{deployed.room.barred}, and `etl doctor` has the line that takes the reservation back")
    divisible = expected.per_hour is not None and usual.found.seconds > settings.timeout_seconds
    return Plan(
        window=window,
        source=deployed.source,
        destination=deployed.destination,
        endpoint=deployed.endpoint,
        room=deployed.room,
        expected=expected,
        alike=alike,
        outlook=usual,
        problems=tuple(against),
        advice=outlook(advised) if advised != settings else None,
        parts=_parts(hours(window.span), lambda share: outlook(settings, share)) if divisible else None,
    )


def _parts(length: float, outlook: Callable[[float], Outlook]) -> Parts | None:
    """The longest parts that fit, of whole hours, and of whole days when they are longer than one.

    Args:
        length: the window's, in hours.
        outlook: what a share of the window takes.
    """

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


def predicted_cost(entry: Entry, entries: Sequence[Entry], deployed: Deployed, prices: PriceList) -> Cost | None:
    """What `etl plan` would have said that a run costs, before it began; None for a run that had no window.

    From the runs before it, the settings as they are now, and the table as large as the run found it.

    Args:
        entry: the run's entry.
        entries: all of the ledger, the latest first.
        deployed: the pipeline.
        prices: what AWS asks.
    """
    if entry.window is None or entry.started is None or entry.replay:
        return None
    source = deployed.source
    scanned = entry.counts.get("scanned")
    if scanned and source.items:
        source = replace(source, items=scanned, size_bytes=round(scanned * source.size_bytes / source.items))
    window = PlannedWindow(entry.window, "")
    runs = telling(entries, entry.started)
    return make_plan(window, replace(deployed, source=source), runs, prices, entry.started).outlook.cost
