"""Axes of time: the positions of instants and ticks on a chart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etl_cli.terminal.times import Times

# Seconds between ticks.
_STEPS = (
    *(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0),
    *(minutes * 60.0 for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 360, 720)),
)


@dataclass(frozen=True)
class Axis:
    """The time from the left edge of a chart to the right one."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Its duration, never 0."""
        return max((self.end - self.start).total_seconds(), 1e-3)

    def at(self, instant: datetime) -> float:
        """The position of an instant, from 0 to 1; instants beyond an edge are at the edge."""
        return min(max((instant - self.start).total_seconds() / self.seconds, 0.0), 1.0)

    def ticks(self, most: int) -> Iterator[tuple[float, str]]:
        """Ticks of the time since the start: position and words, such as ``2:30``."""
        step = next((step for step in _STEPS if self.seconds / step <= most), 24 * 3600.0)
        number = 0
        while number * step <= self.seconds:
            yield number * step / self.seconds, clock(number * step, fine=step < 1)
            number += 1

    def days(self, most: int, times: Times) -> Iterator[tuple[float, str]]:
        """Ticks at midnights: position and day, such as ``Nov 3``."""
        step = max(1, -(-(self.end - self.start).days // most))
        day = times.shifted(self.start).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        while True:
            day += timedelta(days=step)
            midnight = day.astimezone() if times.local else day.replace(tzinfo=UTC)
            if midnight >= self.end:
                return
            yield self.at(midnight), f"{day:%b} {day.day}"


def clock(seconds: float, *, fine: bool = False) -> str:
    """A time since a start, as on a clock: ``2:30``, ``1:02:30``, or with hundredths ``0:00.25``."""
    whole = int(seconds + 1e-9)
    shown = f"{whole // 60 % 60}:{whole % 60:02}"
    if whole >= 3600:
        shown = f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return shown + f"{seconds - whole:.2f}"[1:] if fine else shown
