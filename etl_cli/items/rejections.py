"""Why records are set aside: the reasons, and how many records each is the reason of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from etl_cli.runs.staged import SetAside
from etl_cli.terminal.console import Text
from etl_cli.terminal.grid import Grid

# What is rejected is rare; should it not be, so many are looked at, and so many reasons are told apart.
MOST_REJECTED = 100_000
MOST_REASONS = 1_000
FURTHER = "further reasons, counted together"
NO_SUMMARY = "a reason that only quarantine tells"


class Reason(NamedTuple):
    """Why a record is rejected.

    Attributes:
        field: path of the attribute; empty for the whole record.
        expected: what is allowed there, in words.
        got: what was there.
        untimed: whether it is that its timestamp is no time, which is checked before transformation.py is asked.
    """

    field: str
    expected: str
    got: str
    untimed: bool = False
    summary: str = NO_SUMMARY

    @classmethod
    def of(cls, record: SetAside) -> Reason:
        """Why a record of quarantine was set aside."""
        return cls(record.field, record.expected, record.got, record.untimed, record.summary)

    def __str__(self) -> str:
        """As quarantine has it: ``value: expected a number, got text``."""
        if self.expected is FURTHER:
            return FURTHER
        return f"{self.field or 'record'}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Rejected:
    """A kind of reason, and the records that were rejected for it.

    Attributes:
        stage: the stage that rejected them.
        example: the reason of the first.
        example_id: its id; empty if it has none.
        count: how many there are.
    """

    stage: str
    example: Reason
    example_id: str
    count: int

    def document(self) -> dict[str, Any]:
        """As programs get it."""
        return {
            "stage": self.stage,
            "field": self.example.field,
            "expected": self.example.expected,
            "untimed": self.example.untimed,
            "count": self.count,
            "example": {"id": self.example_id, "got": self.example.got},
        }


@dataclass(frozen=True)
class Rejection:
    """The reason why a stage set a record aside, or several records.

    Attributes:
        stage: ``transform`` or ``load``.
        field: path of the attribute; empty for the whole record.
        rule: the rule that the record breaks, a phrase that follows the field: ``expected a number``.
        got: the value that was found, or words for it.
        summary: the reason without any content of the record.
        untimed: whether the timestamp isn't a time.
        example: id of the record, or of the first of several; empty if it has none.
        count: number of records.
    """

    stage: str
    field: str
    rule: str
    got: str = ""
    summary: str = NO_SUMMARY
    untimed: bool = False
    example: str = ""
    count: int = 1


class Tally:
    """Records in quarantine, counted by stage, attribute and what was expected of it."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, bool]] = Counter()
        self._first: dict[tuple[str, str, str, bool], tuple[Reason, str]] = {}

    def add(self, stage: str, reason: Reason, identity: str) -> None:
        """Count a record, whose id is ``identity``."""
        kind = (stage, reason.field, reason.expected, reason.untimed)
        if kind not in self._first and len(self._first) >= MOST_REASONS:
            reason = Reason("", FURTHER, "", reason.untimed, reason.summary)
            kind = (stage, reason.field, reason.expected, reason.untimed)
        self._counts[kind] += 1
        self._first.setdefault(kind, (reason, identity))

    @property
    def total(self) -> int:
        """How many records were counted."""
        return self._counts.total()

    @property
    def untimed(self) -> int:
        """How many of them have no time."""
        return sum(number for kind, number in self._counts.items() if kind[-1])

    @property
    def rejected(self) -> int:
        """How many of them were rejected by the contract, ``transform()`` or the destination."""
        return self.total - self.untimed

    def rejections(self) -> list[Rejection]:
        """The reasons, the commonest first."""
        return [
            Rejection(
                each.stage,
                each.example.field,
                FURTHER if each.example.expected is FURTHER else f"expected {each.example.expected}",
                each.example.got,
                each.example.summary,
                each.example.untimed,
                each.example_id,
                each.count,
            )
            for each in self.reasons()
        ]

    def without_items(self) -> list[Rejection]:
        """The same by their summaries, without any content of a record."""
        tally: Counter[tuple[str, str, bool]] = Counter()
        for each in self.rejections():
            tally[each.stage, each.summary, each.untimed] += each.count
        return [
            Rejection(stage, "", summary, "", summary, untimed, "", number)
            for (stage, summary, untimed), number in tally.most_common()
        ]

    def reasons(self) -> list[Rejected]:
        """The kinds of reasons, the commonest first."""
        return [Rejected(kind[0], *self._first[kind], number) for kind, number in self._counts.most_common()]


def reasons_table(found: Iterable[Rejected]) -> Grid:
    """Reasons with their counts, a sentence each and the record that it comes from."""
    table = Grid(gap=2)
    table.whole("right", least=6)
    table.text()
    table.text(style="dim")
    for each in found:
        table.add_row(f"{each.count:,}", Text(str(each.example)), Text(each.example_id))
    return table
