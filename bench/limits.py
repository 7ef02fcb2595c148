"""Limits of the pipeline by its capacity model: the largest table, the most invocations, and the price of an export."""

from dataclasses import replace
from decimal import Decimal

from etl.model.limits import HISTORY_EVENTS
from etl_cli.costs.capacity import estimate
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.prices import Prices
from etl_cli.costs.usage import BYTES_PER_READ_UNIT, GB, MB, history_events

# Dollars for a GB of changes that DynamoDB exports to S3, in us-east-1. Source: "Amazon DynamoDB pricing", Data export
# to Amazon S3.
EXPORT_GB = Decimal("0.10")


def most_invocations(segments: int) -> int:
    """Invocations of all stages that fit in the history of an execution with inline Maps."""
    return (HISTORY_EVENTS - history_events(segments, 0, inline=True)) // 7


def largest_table(workload: Workload, settings: CapacitySettings, costs: Costs) -> float:
    """Size in bytes of the largest table, of such items and such a share of them, that fits the time; 0 for none."""
    low, high = 0.0, 1e15
    while high - low > MB:
        middle = (low + high) / 2
        found = estimate(replace(workload, table_bytes=middle), settings, costs)
        low, high = (middle, high) if found.seconds <= settings.timeout_seconds else (low, middle)
    return low


def export_dollars(workload: Workload) -> Decimal:
    """The price of an incremental export of the window's items, if each of them changed once in it."""
    return Decimal(str(workload.table_bytes * workload.share / GB)) * EXPORT_GB


def break_even_share(prices: Prices) -> Decimal:
    """The changed share of a table above which scanning it costs less than an incremental export."""
    return Decimal(GB) / BYTES_PER_READ_UNIT / 1_000_000 * prices.million_read_units / EXPORT_GB
