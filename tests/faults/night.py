"""The source of one simulated night: its window, and items of known fate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from tests.etl_pipeline.sample import ALL_TYPES, VALUES, expected_groups
from tests.etl_pipeline.values import Item
from tests.faults.oracle import Expected, expect, within
from tests.pipeline.execution import text
from tests.pipeline.pipeline import Pipeline

DAY = timedelta(days=1)
LATENESS = timedelta(minutes=15)
FIRST = datetime(2011, 3, 2, 2, tzinfo=UTC)

# DynamoDB gives a number back with all its digits and no exponent, and the emulator as it was put.
TYPES = ALL_TYPES | {name: {"N": f"{Decimal(ALL_TYPES[name]['N']):f}"} for name in ("largest", "smallest")}
VALID, OUTSIDE = 160, 8
FRACTIONS = ("", ".5", ".000001", ".999999999")
# Items of no window, so large that a page of a Scan, 1 MB, holds few: they make a small source one of many pages.
BALLAST, BALLAST_BYTES = 12, 390_000
# Two and a half of it are the ballast: three segments, with several parts each.
SETTINGS = {"etl:segment_bytes": str(BALLAST * BALLAST_BYTES * 2 // 5), "etl:part_bytes": "4096"}


def put_ballast(pipeline: Pipeline) -> None:
    """Fill up the pages of the source table."""
    filling = {"S": "x" * BALLAST_BYTES}
    pipeline.put(pipeline.item(f"ballast{n:02d}", "1999-12-31T00:00:00Z", filling=filling) for n in range(BALLAST))


@dataclass(frozen=True)
class Night:
    """A night of the schedule, and the source table's items then.

    Attributes:
        pipeline: makes the items, and has put none yet.
        watermark: up to where the nights before have loaded everything; None before the first.
        end: when the schedule fires: the end of the window.
    """

    pipeline: Pipeline
    watermark: datetime | None
    end: datetime

    @property
    def first(self) -> datetime:
        """The first instant of the window of a run of the schedule."""
        due = self.end - DAY
        return (min(due, self.watermark) if self.watermark else due) - LATENESS

    @property
    def window(self) -> tuple[str, str]:
        return text(self.first), text(self.end)

    @property
    def input(self) -> dict[str, str]:
        """The input of the scheduled run."""
        return {"time": text(self.end)}

    def next(self) -> Night:
        """The night after, with the same items, when nothing of this one has been loaded."""
        later = replace(self, end=self.end + DAY)
        vars(later).update(valid=self.valid, invalid=self.invalid, refused=self.refused)
        return later

    @property
    def items(self) -> list[Item]:
        return [*self.valid, *self.invalid, *self.refused]

    @cached_property
    def valid(self) -> list[Item]:
        """Items that are loaded by a run of their window: most belong to this night, some to others."""
        return [*self._inside(), *self._outside()]

    def _inside(self) -> Iterator[Item]:
        step = (self.end - self.first) / VALID
        for n in range(VALID):
            instant = text((self.first + n * step).replace(microsecond=0))
            stamp = f"{instant[:-1]}{FRACTIONS[n % len(FRACTIONS)]}Z"
            types = TYPES if n % 10 == 0 else {}
            yield self.pipeline.item(f"{n:03d}", stamp, value={"N": VALUES[n % len(VALUES)]}, **types)

    def _outside(self) -> Iterator[Item]:
        for n in range(OUTSIDE):
            yield self.pipeline.item(f"before{n}", text(self.first - timedelta(seconds=1) - n * DAY))
            yield self.pipeline.item(f"after{n}", text(self.end + n * timedelta(hours=1)))

    @cached_property
    def invalid(self) -> list[Item]:
        """Items that Transform rejects."""
        noon = text(self.end - DAY / 2)
        make = self.pipeline.item
        return [
            make("valueless", noon, value=None),
            make("text", noon, value={"S": "100"}, **TYPES),
            make("negative", noon, value={"N": "-1"}),
            make("untimed", "", timestamp=None),
        ]

    @cached_property
    def refused(self) -> list[Item]:
        """An item that the source table just takes, and the destination table doesn't."""
        return [self.pipeline.largest_item("large", text(self.end - DAY / 2))]

    def expected(self, start: str, end: str) -> Expected:
        """The expected result of a run of a window."""
        return expect(self.valid, self.invalid, self.refused, start, end)

    def expected_groups(self, start: str, end: str) -> list[dict[str, object]]:
        """The aggregates of a run of a window."""
        return expected_groups([item for item in [*self.valid, *self.refused] if within(item, start, end)])
