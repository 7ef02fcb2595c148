"""Spans of time, and instants for people: in UTC, or in this machine's time zone. Programs always get UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from etl.model.instants import format_instant


class Span(NamedTuple):
    """All instants from ``start`` up to, and without, ``end``."""

    start: datetime
    end: datetime

    def document(self) -> dict[str, str]:
        """The span for programs."""
        return {"start": format_instant(self.start), "end": format_instant(self.end)}


@dataclass(frozen=True)
class Times:
    """Formats instants, which have a time zone, to the second: in UTC, or in this machine's zone as it was then."""

    local: bool = False

    def instant(self, instant: datetime) -> str:
        """An instant with its zone: ``2026-11-23 02:00:00 UTC``."""
        return f"{self.bare(instant)} {self.zones([instant])}"

    def window(self, start: datetime, end: datetime) -> str:
        """A window: ``2026-11-22 01:45:00 → 2026-11-23 02:00:00 UTC``; with both zones if they differ."""
        first = self.bare(start) if self.zones([start]) == self.zones([end]) else self.instant(start)
        return f"{first} → {self.instant(end)}"

    def bare(self, instant: datetime) -> str:
        """An instant without its zone, below a heading with the zone: ``2026-11-23 02:00:00``."""
        # strftime leaves out zeros of a year before 1000.
        return self.shifted(instant).replace(tzinfo=None, microsecond=0).isoformat(" ")

    def zones(self, instants: Iterable[datetime]) -> str:
        """The zones of instants, for a heading: ``UTC``, ``CET``, ``CEST/CET``; without instants, today's zone."""
        names = dict.fromkeys(self.shifted(each).strftime("%Z") for each in instants)
        return "/".join(names) or self.zones([datetime.now(UTC)])

    def shifted(self, instant: datetime) -> datetime:
        """The same instant in the zone of the output."""
        return instant.astimezone(None if self.local else UTC)
