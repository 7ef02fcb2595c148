"""A report without contents of items, for readers who may not see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from etl_cli.items.rejections import Rejection, Tally
from etl_cli.summary.report import RunReport

EXPIRED = (
    "What the run staged has expired, 30 days after it, or was removed: why items were set aside, aggregates, an item "
    "before and after."
)
LEFT_OUT = (
    "Contents of items are left out: what was found in rejected ones, names of attributes that the contract doesn't "
    "declare, groups of aggregates, an item before and after. --items shows them."
)


def without_items(report: RunReport) -> RunReport:
    """The report with everything that came from items left out, which it says."""
    return replace(
        report,
        rejections=reasons_alone(report.rejections),
        aggregates=names_alone(report.aggregates),
        sample=None,
        left_out=report.left_out or LEFT_OUT,
    )


def reasons_alone(rejections: Iterable[Rejection]) -> list[Rejection]:
    """How many items each stage set aside, by the reason's summary, which has nothing of an item."""
    tally = Tally()
    for each in rejections:
        tally.add(each)
    return tally.without_items()


def names_alone(aggregates: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Aggregates as the transformation declares them, with the number of their groups."""
    return [each | {"groups": [], "groups_left_out": len(each["groups"])} for each in aggregates]
