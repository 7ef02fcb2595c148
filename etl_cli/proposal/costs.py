"""The cost of a proposed pipeline's runs, by the same model and prices as `etl plan`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from etl_cli.costs.capacity import Estimate, estimate
from etl_cli.costs.capacity_inputs import CapacitySettings, Costs, Workload
from etl_cli.costs.cost import Cost, predicted
from etl_cli.costs.prices import price_list
from etl_cli.proposal.proposal import Proposal


class Outlook(NamedTuple):
    """The time and cost of a run, and the items that it loads."""

    found: Estimate
    cost: Cost
    items: int


@dataclass(frozen=True, kw_only=True)
class Outlooks:
    """The first run, which takes all items, and a run of a night; both read the whole table."""

    first: Outlook
    nightly: Outlook


def outlooks(proposal: Proposal) -> Outlooks:
    """Estimate both runs.

    A night brings the share of items that changed on the last day of the sample, those without a time included.
    """
    cursor, sample = proposal.cursor, proposal.found.sample
    sampled = max(1, len(sample.lines))
    first = proposal.profile.items / sampled
    nightly = first if cursor is None else (cursor.recent + cursor.items - cursor.times) / sampled
    return Outlooks(first=_outlook(proposal, first), nightly=_outlook(proposal, nightly))


def _outlook(proposal: Proposal, share: float) -> Outlook:
    table, sample = proposal.found.table, proposal.found.sample
    # DynamoDB's numbers are up to six hours old: a new table has none.
    items = max(table.items, len(sample.lines))
    wire_bytes = sample.size_bytes / len(sample.lines) if sample.lines else Workload.wire_bytes
    scale = wire_bytes / Workload.wire_bytes
    item_bytes = table.size_bytes / table.items if table.items and table.size_bytes else Workload.item_bytes * scale
    workload = Workload(
        table_bytes=items * item_bytes,
        share=min(1.0, share),
        item_bytes=item_bytes,
        wire_bytes=wire_bytes,
        record_bytes=Workload.record_bytes * scale,
        added_bytes=0,
    )
    settings = CapacitySettings(
        source_read_units_per_second=proposal.read_ceiling, read_units_per_second=table.read_units or None
    )
    found = estimate(workload, settings, Costs.read())
    return Outlook(found, predicted(found, price_list(table.region)), round(items * workload.share))
