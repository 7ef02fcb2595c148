"""The rows of the page's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from etl_cli.costs.cost import Cost
from etl_cli.render.item import value_text
from etl_cli.render.plan import uses
from etl_cli.runs.item import Wire, compare
from etl_cli.summary.contents import Sample
from etl_cli.terminal.printable import printable
from etl_cli.terminal.words import number, plural

LONGEST = 240
MOST_ATTRIBUTES = 60
MOST_REASONS = 20
MOST_GROUPS = 20
_MARKS = {"+": "came", "-": "went", "~": "changed", "": ""}


class Attribute(NamedTuple):
    """An attribute of an item before and after.

    Attributes:
        mark: ``came``, ``went``, ``changed``, or empty if it stayed.
    """

    path: str
    mark: str
    kind: str
    before: str | None
    after: str | None


class CostRow(NamedTuple):
    """A service with its usage in words, and its cost and predicted cost in dollars."""

    service: str
    uses: str
    cost: str
    predicted: str


@dataclass(frozen=True)
class Grid:
    """An aggregate as a table.

    Attributes:
        groups: number of columns, from the left, that name the group.
        more: number of rows that are left out.
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
    """The cost of each service, actual and predicted; the last row is the total.

    All amounts have the same number of decimals, so that their digits are aligned.
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
    """Aggregates as tables, without rows if there were no records."""
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


def items_words(counts: Mapping[str, int], *, replay: bool) -> str:
    """The number of items that the run found."""
    read, scanned = counts["read"], counts.get("scanned", 0)
    if replay:
        return f"{plural(read, 'record was', 'records were')} taken up from quarantine."
    return f"{plural(scanned, 'item')} in the table, {read:,} of them in the window or without a usable timestamp."
