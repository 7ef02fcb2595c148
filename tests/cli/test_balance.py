"""The balance of a run, as the command shows it."""

from __future__ import annotations

from etl.model.counts import BALANCE, REPORTED
from etl_cli.summary.balance import balance_of

COUNTS = dict.fromkeys(REPORTED, 0) | {"read": 3, "extracted": 3, "transformed": 3, "records": 3, "loaded": 3}


def test_each_stage_has_a_line_that_holds() -> None:
    lines = balance_of(COUNTS, replay=False)

    assert len(lines) == len(BALANCE)
    assert all(line.holds for line in lines)


def test_a_lost_item_breaks_its_line() -> None:
    broken = [line.name for line in balance_of(COUNTS | {"loaded": 2}, replay=False) if not line.holds]

    assert broken == ["records"]


def test_a_run_without_the_counts_of_a_later_stage_balances() -> None:
    stage = {part for part in BALANCE[-1].parts if part in REPORTED}
    earlier = {name: count for name, count in COUNTS.items() if name not in stage}
    lines = balance_of(earlier, replay=False)

    assert [line.name for line in lines] == [equation.total for equation in BALANCE[:-1]]
    assert all(line.holds for line in lines)
