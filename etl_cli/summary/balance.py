"""The balance of a run: where each item and each record went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.model.counts import BALANCE, NOT_REPLAYABLE, REJECTED, REPORTED

_SHOWN = dict.fromkeys(REJECTED.values(), "rejected")


@dataclass(frozen=True)
class BalanceLine:
    """One line of the balance: ``total`` is the sum of ``parts``, or an item is unaccounted for."""

    name: str
    total: int
    parts: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether it adds up."""
        return self.total == sum(self.parts.values())


def balance_of(counts: Mapping[str, int], *, replay: bool) -> list[BalanceLine]:
    """The lines of the balance, without parts that are unusual and 0; a replay can leave records in quarantine.

    A run of an earlier version may lack the counts of a stage, and so that line.
    """
    always = {*REPORTED, *([NOT_REPLAYABLE] if replay else [])}
    return [
        BalanceLine(
            equation.total,
            counts.get(equation.total, 0),
            {
                _SHOWN.get(part, part): counts.get(part, 0)
                for part in equation.parts
                if part in always or counts.get(part)
            },
        )
        for equation in BALANCE
        if any(part in counts for part in equation.parts)
    ]
