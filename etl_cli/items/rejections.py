"""Rejections: the reasons why records are set aside, and a tally of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from etl.model.rejection import RejectedError, UntimedError
from etl.model.stages import TRANSFORM
from etl_cli.items.item_key import ItemKey

# Rejected records are rare. If they aren't, this limits the records that are read and the reasons that are counted.
MOST_REJECTED = 100_000
MOST_REASONS = 1_000
FURTHER = "further reasons, counted together"


@dataclass(frozen=True)
class Rejection:
    """The reason why a stage set a record aside, or several records.

    Attributes:
        field: path of the attribute; empty for the whole record.
        rule: the rule that the record breaks, a phrase that follows the field: ``expected a number``.
        got: the value that was found, or words for it; empty if there is nothing to show.
        summary: the reason without any content of the record.
        untimed: whether the timestamp isn't a time. The pipeline checks that before your transformation runs.
        example: the key of the record, or of the first of several; empty if it has none.
        key: the same for programs.
    """

    stage: str
    field: str
    rule: str
    got: str = ""
    summary: str = RejectedError.summary
    untimed: bool = False
    example: str = ""
    count: int = 1
    key: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, error: RejectedError, key: ItemKey | None = None) -> Rejection:
        """The rejection of an item by the contract, or by ``transform()``."""
        is_untimed = isinstance(error, UntimedError)
        made = cls(TRANSFORM, error.field, error.rule, error.got, error.summary, is_untimed)
        return replace(made, example=key.text, key=key.document()) if key else made

    def __str__(self) -> str:
        """The reason with the value found: ``value: expected a number, got text``."""
        if self.rule == FURTHER:
            return FURTHER
        got = f", got {self.got}" if self.got else ""
        return f"{self.field or 'record'}: {self.rule}{got}"

    def facts(self) -> dict[str, Any]:
        """The reason of one record, for programs."""
        return {"field": self.field, "rule": self.rule, "got": self.got, "untimed": self.untimed}

    def document(self) -> dict[str, Any]:
        """The reason of several records, for programs."""
        return {
            "stage": self.stage,
            "field": self.field,
            "rule": self.rule,
            "untimed": self.untimed,
            "count": self.count,
            "example": {"id": self.example, "key": self.key, "got": self.got},
        }


class Tally:
    """Rejected records, counted by stage, attribute and rule."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str, str, bool], Rejection] = {}
        self._counts: Counter[tuple[str, str, str, bool]] = Counter()

    def add(self, rejection: Rejection) -> None:
        """Count a rejected record."""
        key = (rejection.stage, rejection.field, rejection.rule, rejection.untimed)
        if key not in self._first and len(self._first) >= MOST_REASONS:
            rejection = replace(rejection, field="", rule=FURTHER, got="")
            key = (rejection.stage, "", FURTHER, rejection.untimed)
        self._first.setdefault(key, rejection)
        self._counts[key] += rejection.count

    @property
    def total(self) -> int:
        """Number of records."""
        return self._counts.total()

    @property
    def untimed(self) -> int:
        """Number of records whose timestamp isn't a time."""
        return sum(count for key, count in self._counts.items() if self._first[key].untimed)

    @property
    def rejected(self) -> int:
        """Number of records that the contract, ``transform()`` or the destination rejected."""
        return self.total - self.untimed

    def rejections(self) -> list[Rejection]:
        """The rejections, the most common first, each with its first record as the example."""
        return [replace(self._first[key], count=count) for key, count in self._counts.most_common()]

    def without_items(self) -> list[Rejection]:
        """The rejections by their summaries, without any content of items."""
        tally = Tally()
        for each in self.rejections():
            tally.add(Rejection(each.stage, "", each.summary, "", each.summary, each.untimed, count=each.count))
        return tally.rejections()
