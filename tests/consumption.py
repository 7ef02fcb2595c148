"""The consumption of requests over time, and within any span of a length."""

from __future__ import annotations

from typing import NamedTuple


class Consumed(NamedTuple):
    """Units that one request consumed, and when: seconds on any clock."""

    at: float
    units: float


def units_between(consumed: list[Consumed], start: float, end: float) -> float:
    """Units consumed in [start, end)."""
    return sum(each.units for each in consumed if start <= each.at < end)


def most_within(consumed: list[Consumed], seconds: float) -> float:
    """Units of the fullest span of so many seconds, wherever it begins."""
    ordered = sorted(consumed)
    most = units = 0.0
    first = 0
    for each in ordered:
        units += each.units
        while ordered[first].at <= each.at - seconds:
            units -= ordered[first].units
            first += 1
        most = max(most, units)
    return most
