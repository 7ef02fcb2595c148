"""The dollars that a run costs, by service.

A `Cost` comes from the capacity model's estimate (`predicted`), or from the ledger and the history of a run
(`cost_of`). The two can be compared service by service.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl.model.limits import STAGED_DAYS
from etl_cli.costs.capacity import Estimate
from etl_cli.costs.capacity_inputs import CapacitySettings
from etl_cli.costs.counted_usage import counted_usage
from etl_cli.costs.prices import PriceList
from etl_cli.costs.usage import GB, Usage
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import LedgerEntry

# The bucket's lifecycle rule, and the length of a month that AWS bills.
MONTH_DAYS = 30
_MILLION = 1_000_000
_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a run in exact US dollars by service; the same services in the same order for every run.

    The amounts named in ``estimated`` are not counted: in a prediction, all of them.
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
        """The same for ``--json``; dollars are text, to stay exact."""
        return {
            "total": plain(self.total),
            "services": {name: plain(dollars) for name, dollars in self.services.items()},
            "usage": {name: round(amount, 3) for name, amount in vars(self.usage).items()},
            "estimated": list(self.estimated),
            "prices": self.prices.source,
            "recalled_prices": list(self.prices.recalled),
        }


def bill(usage: Usage, prices: PriceList, architecture: str = "x86_64", estimated: tuple[str, ...] = ()) -> Cost:
    """The dollars for the amounts that a run uses; `estimated` names those that are estimated."""
    each = prices.prices

    def dollars(amount: float, price: Decimal, unit: int = 1) -> Decimal:
        return Decimal(str(amount)) / unit * price

    services = {
        "DynamoDB reads": dollars(usage.read_units, each.million_read_units, _MILLION),
        "DynamoDB writes": dollars(usage.write_units, each.million_write_units, _MILLION),
        "Lambda": dollars(usage.gb_seconds, each.lambda_gb_second(architecture))
        + dollars(usage.invocations, each.lambda_million_requests, _MILLION),
        "Step Functions": dollars(usage.transitions, each.thousand_transitions, 1_000),
        "S3": dollars(usage.puts, each.thousand_puts, 1_000)
        + dollars(usage.gets, each.thousand_gets, 1_000)
        + dollars(usage.staged_bytes, each.gb_month, GB) * STAGED_DAYS / MONTH_DAYS,
        "CloudWatch Logs": dollars(usage.log_bytes, each.gb_logs, GB),
        "CloudWatch metrics": dollars(usage.metric_hours, each.metric_month, MONTH_DAYS * 24),
        "EventBridge": dollars(usage.events, each.million_events, _MILLION),
        "X-Ray": dollars(usage.traces, each.million_traces, _MILLION),
    }
    return Cost(services=services, usage=usage, prices=prices, estimated=estimated)


def predicted(found: Estimate, prices: PriceList, architecture: str = "x86_64") -> Cost:
    """The cost of a run that hasn't begun."""
    return bill(found.usage, prices, architecture, tuple(vars(found.usage)))


def cost_of(entry: LedgerEntry, timeline: Timeline | None, prices: PriceList, settings: CapacitySettings) -> Cost:
    """The cost of a run so far. Step Functions no longer has its timeline 90 days after its end."""
    usage, estimated = counted_usage(entry, timeline, settings.memory_mb)
    return bill(usage, prices, settings.architecture, estimated)


def plain(dollars: Decimal) -> str:
    """Dollars for a program, to a billionth of a dollar and without an exponent: ``0.0123``."""
    text = f"{dollars:.9f}".rstrip("0")
    return text + "00"[: max(0, 2 - len(text.partition(".")[2]))]


def money(dollars: Decimal) -> str:
    """Dollars for a person: ``$1,234.50``, ``$0.12``, and below ten cents two digits: ``$0.0031``."""
    if dollars == 0 or abs(dollars) >= 10 * _CENT:
        return f"${dollars:,.2f}"
    return "<$0.000001" if abs(dollars) < Decimal("0.000001") else f"${Decimal(f'{dollars:.2g}'):f}"
