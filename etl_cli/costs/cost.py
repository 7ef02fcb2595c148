"""What a run costs: what it uses of what AWS bills, and the dollars for that by service.

Two ways lead to a `Cost`: `predicted`, from the capacity model's estimate, and `cost_of`, from what the ledger and the
history have of a run. Both can be held beside each other, service by service.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from etl_cli.costs.capacity import Estimate
from etl_cli.costs.capacity_inputs import GB, MEMORY_MB
from etl_cli.costs.prices import PriceList
from etl_cli.costs.usage import Usage, counted_usage, predicted_usage
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import Entry

# The bucket's lifecycle rule, and the length of a month that AWS bills.
STAGED_DAYS, MONTH_DAYS = 30, 30
_CENT = Decimal("0.01")


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
    usage = predicted_usage(found)
    return bill(usage, prices, architecture, tuple(vars(usage)))


@dataclass(frozen=True, kw_only=True)
class Functions:
    """How the functions are deployed.

    Attributes:
        memory_mb: their memory.
        architecture: ``x86_64`` or ``arm64``.
    """

    memory_mb: int = MEMORY_MB
    architecture: str = "x86_64"


DEFAULT_FUNCTIONS = Functions()


def cost_of(
    entry: Entry, timeline: Timeline | None, prices: PriceList, functions: Functions = DEFAULT_FUNCTIONS
) -> Cost:
    """What a run has cost, as far as it has come.

    What the ledger and the history don't have is reckoned, and named in ``estimated``: see `counted_usage`.

    Args:
        entry: the run's entry in the ledger.
        timeline: its whole history; None when Step Functions has it no more, 90 days after the run's end.
        prices: what AWS asks.
        functions: how the functions are deployed.
    """
    usage, reckoned = counted_usage(entry, timeline, functions.memory_mb)
    return bill(usage, prices, functions.architecture, reckoned)


def plain(dollars: Decimal) -> str:
    """Dollars for a program, to a billionth of a dollar and without an exponent: ``0.0123``."""
    text = f"{dollars:.9f}".rstrip("0")
    return text + "00"[: max(0, 2 - len(text.partition(".")[2]))]


def money(dollars: Decimal) -> str:
    """Dollars for a person: ``$1,234.50``, ``$0.12``, and two digits of what is less than ten cents: ``$0.0031``."""
    if dollars == 0 or abs(dollars) >= 10 * _CENT:
        return f"${dollars:,.2f}"
    return "<$0.000001" if abs(dollars) < Decimal("0.000001") else f"${Decimal(f'{dollars:.2g}'):f}"
