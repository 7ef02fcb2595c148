"""Tables of rejections, and the words for one."""

from __future__ import annotations

from collections.abc import Iterable

from etl.model.stages import BY_ACTION
from etl_cli.items.rejections import Rejection
from etl_cli.runs.outcome_words import UNTIMED
from etl_cli.terminal.console import Text
from etl_cli.terminal.grid import Grid


def rejections_table(found: Iterable[Rejection], *, with_items: bool = True) -> Grid:
    """Rejections with their counts, each with the id of a record as an example; or only with their rules."""
    table = Grid(gap=2)
    table.whole("right", least=6)
    table.text()
    table.text(style="dim")
    for each in found:
        table.add_row(f"{each.count:,}", Text(str(each) if with_items else each.rule), Text(each.example))
    return table


def rejected_by(rejection: Rejection) -> str:
    """The rejection of one record with its stage: ``Transform rejected it: value: expected a number, got text``."""
    fate = UNTIMED if rejection.untimed else f"{BY_ACTION[rejection.stage].state} rejected it"
    return f"{fate}: {rejection}"
