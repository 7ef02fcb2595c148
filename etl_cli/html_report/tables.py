"""The rows of the page's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from etl_cli.costs.cost import Cost
from etl_cli.render.item import value_text
from etl_cli.render.plan import uses
from etl_cli.runs.item import Wire, compare
from etl_cli.summary.report import Sample
from etl_cli.terminal.printable import printable
from etl_cli.terminal.words import number

LONGEST = 240
MOST_ATTRIBUTES = 60
MOST_REASONS = 20
MOST_GROUPS = 20
_MARKS = {"+": "came", "-": "went", "~": "changed", "": ""}


class Attribute(NamedTuple):
    """An attribute of an item before and after.

    Attributes:
        path: where it is in the item.
        mark: ``came``, ``went``, ``changed``, or empty if it stayed.
        kind: its type in DynamoDB.
        before: its value; None if it came.
        after: None if it went.
    """

    path: str
    mark: str
    kind: str
    before: str | None
    after: str | None


class CostRow(NamedTuple):
    """What a service costs: in words what is billed, in dollars what it was, and what was predicted."""

    service: str
    uses: str
    cost: str
    predicted: str


@dataclass(frozen=True)
class Grid:
    """An aggregate as a table.

    Attributes:
        name: the aggregate's.
        heads: names of its columns.
        groups: how many of them, from the left, name the group.
        rows: cells as text.
        more: how many rows are left out.
    """

    name: str
    heads: list[str]
    groups: int
    rows: list[list[str]]
    more: int


def changes_of(sample: Sample) -> Iterator[Attribute]:
    """All attributes of an item, before and after."""
    for change in compare(*sample.sides()):
        kind = next(iter(change.after or change.before or {}), "")
        yield Attribute(change.path, _MARKS[change.mark], kind, _shown(change.before), _shown(change.after))


def _shown(value: Wire | None) -> str | None:
    return None if value is None else value_text(value, LONGEST)


def cost_rows(cost: Cost, predicted: Cost | None) -> list[CostRow]:
    """What each service has cost, beside what was predicted; the last row is all together.

    All dollars have the same number of decimals, so that their digits stand below one another.
    """
    most = max(cost.total, predicted.total if predicted else cost.total)
    decimals = 6 if most < 1 else 4 if most < 100 else 2

    def dollars(amount: Decimal | None) -> str:
        return "" if amount is None else f"${amount:,.{decimals}f}"

    before = predicted.services if predicted else {}
    rows = [
        CostRow(service, uses(service, cost.usage), dollars(amount), dollars(before.get(service)))
        for service, amount in cost.services.items()
    ]
    return [*rows, CostRow("In all", "", dollars(cost.total), dollars(predicted.total if predicted else None))]


def aggregate_tables(aggregates: Iterable[dict[str, Any]]) -> Iterator[Grid]:
    """Aggregates as tables; those of no record have no rows."""
    for each in aggregates:
        groups: list[dict[str, Any]] = each["groups"]
        by = set(each["by"])
        heads = sorted(groups[0], key=lambda name: name not in by) if groups else []
        rows = [[_cell(group.get(name)) for name in heads] for group in groups[:MOST_GROUPS]]
        more = each.get("groups_left_out") or max(0, len(groups) - MOST_GROUPS)
        yield Grid(printable(each["name"], LONGEST), heads, len(by), rows, more)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, (int, Decimal)):
        return number(value)
    return printable(str(value), LONGEST)
