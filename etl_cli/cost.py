"""What a run costs: what it uses of what AWS bills, and the dollars for that by service.

Two ways lead to a `Cost`: `predicted`, from the capacity model's estimate, and `cost_of`, from what the ledger and the
history have of a run. Both can be held beside each other, service by service.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from etl_cli.capacity import (
    BYTES_PER_READ_UNIT,
    INVOCATION_SECONDS,
    Estimate,
    get_requests,
    log_bytes,
    put_requests,
    transitions,
)
from etl_cli.capacity_inputs import GB, KB, STAGES, Workload
from etl_cli.history import Timeline
from etl_cli.ledger import Entry
from etl_cli.prices import PriceList

# The bucket's lifecycle rule, and the length of a month that AWS bills.
STAGED_DAYS, MONTH_DAYS = 30, 30
# Plan, Gate and Finish call a function each.
STEPS = 3
# Metrics that the functions' log lines carry: those of the whole run, and two for each state. A metric is billed for
# each hour in which it has a value. Source: "Amazon CloudWatch pricing"; runtime/etl/metrics.py.
METRICS, HOUR_SECONDS = 24, 3600
_CENT = Decimal("0.01")


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
        metric_hours: hours of custom metrics of CloudWatch.
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


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run costs, in US dollars.

    Attributes:
        services: dollars by service, exact; the same services in the same order for every run.
        usage: what they are for.
        prices: by which prices.
        estimated: names of the usage that was reckoned and not counted; of a prediction all of them.
    """

    services: dict[str, Decimal]
    usage: Usage
    prices: PriceList
    estimated: tuple[str, ...]

    @property
    def total(self) -> Decimal:
        """All services together."""
        return sum(self.services.values(), Decimal(0))

    def document(self) -> dict[str, Any]:
        """The same for ``--json``: dollars as text, to keep them exact."""
        return {
            "total": plain(self.total),
            "services": {name: plain(dollars) for name, dollars in self.services.items()},
            "usage": {name: round(amount, 3) for name, amount in vars(self.usage).items()},
            "estimated": list(self.estimated),
            "prices": self.prices.source,
            "recalled_prices": list(self.prices.recalled),
        }


def bill(usage: Usage, prices: PriceList, architecture: str = "x86_64", estimated: tuple[str, ...] = ()) -> Cost:
    """The dollars for what a run uses.

    Args:
        usage: what it uses.
        prices: what AWS asks.
        architecture: of the functions: ``x86_64`` or ``arm64``.
        estimated: names of the usage that is reckoned.
    """
    each = prices.prices

    def dollars(amount: float, price: Decimal, unit: int = 1) -> Decimal:
        return Decimal(str(amount)) / unit * price

    million = 1_000_000
    services = {
        "DynamoDB reads": dollars(usage.read_units, each.million_read_units, million),
        "DynamoDB writes": dollars(usage.write_units, each.million_write_units, million),
        "Lambda": dollars(usage.gb_seconds, each.lambda_gb_second(architecture))
        + dollars(usage.invocations, each.lambda_million_requests, million),
        "Step Functions": dollars(usage.transitions, each.thousand_transitions, 1_000),
        "S3": dollars(usage.puts, each.thousand_puts, 1_000)
        + dollars(usage.gets, each.thousand_gets, 1_000)
        + dollars(usage.staged_bytes, each.gb_month, GB) * STAGED_DAYS / MONTH_DAYS,
        "CloudWatch Logs": dollars(usage.log_bytes, each.gb_logs, GB),
        "CloudWatch metrics": dollars(usage.metric_hours, each.metric_month, MONTH_DAYS * 24),
        "EventBridge": dollars(usage.events, each.million_events, million),
        "X-Ray": dollars(usage.traces, each.million_traces, million),
    }
    return Cost(services=services, usage=usage, prices=prices, estimated=estimated)


def predicted(found: Estimate, prices: PriceList, architecture: str = "x86_64") -> Cost:
    """What a run will cost, by the capacity model's estimate."""
    usage = Usage(
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
    return bill(usage, prices, architecture, tuple(vars(usage)))


@dataclass(frozen=True, kw_only=True)
class Functions:
    """How the functions are deployed.

    Attributes:
        memory_mb: their memory.
        architecture: ``x86_64`` or ``arm64``.
    """

    memory_mb: int = 512
    architecture: str = "x86_64"


DEFAULT_FUNCTIONS = Functions()


def cost_of(
    entry: Entry, timeline: Timeline | None, prices: PriceList, functions: Functions = DEFAULT_FUNCTIONS
) -> Cost:
    """What a run has cost, as far as it has come.

    What the ledger and the history don't have is reckoned, and named in ``estimated``: requests to S3 and logs always;
    the calls of a Distributed Map, which are in its children's histories; the units of a run from before they were
    counted.

    Args:
        entry: the run's entry in the ledger.
        timeline: its whole history; None when Step Functions has it no more, 90 days after the run's end.
        prices: what AWS asks.
        functions: how the functions are deployed.
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
        gb_seconds=functions.memory_mb / 1024 * sum(each.seconds for each in (*steps, *maps)),
        invocations=invocations + sum(each.number for each in steps),
        transitions=transitions(segments, invocations, inline=inline),
        puts=sum(map(put_requests, staged, parts)),
        gets=sum(map(get_requests, staged, parts)),
        staged_bytes=sum(staged),
        log_bytes=log_bytes(segments, invocations),
        metric_hours=_metric_hours(entry.seconds or 0.0),
    )
    estimated = [name for name in ("read_units", "write_units") if name not in counts]
    if not inline or not timeline:
        estimated += ["gb_seconds", "invocations", "transitions"]
    elif entry.status != "SUCCEEDED":  # it didn't pass all states, and passed others
        estimated.append("transitions")
    return bill(usage, prices, functions.architecture, (*estimated, "puts", "gets", "log_bytes"))


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
        elif number or stage.state == "waiting":
            maps.append(calls)
        else:
            maps.append(_workers(stage.seconds or 0.0, segments))
    return steps, maps


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
    return METRICS * max(1, math.ceil(seconds / HOUR_SECONDS))


def plain(dollars: Decimal) -> str:
    """Dollars for a program, to a billionth of a dollar and without an exponent: ``0.0123``."""
    text = f"{dollars:.9f}".rstrip("0")
    return text + "00"[: max(0, 2 - len(text.partition(".")[2]))]


def money(dollars: Decimal) -> str:
    """Dollars for a person: ``$1,234.50``, ``$0.12``, and two digits of what is less than ten cents: ``$0.0031``."""
    if dollars == 0 or abs(dollars) >= 10 * _CENT:
        return f"${dollars:,.2f}"
    return "<$0.000001" if abs(dollars) < Decimal("0.000001") else f"${Decimal(f'{dollars:.2g}'):f}"
