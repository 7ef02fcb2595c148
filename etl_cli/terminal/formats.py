"""Numbers, sizes and durations for people."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

_UNITS = ("B", "kB", "MB", "GB", "TB")


def plural(number: int, one: str, several: str = "") -> str:
    """A number of things: ``1 segment``, ``4,650 items``."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def duration(seconds: float) -> str:
    """A duration: ``0.8 s``, ``3 min 07 s``, ``2 h 05 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def length(span: timedelta) -> str:
    """The length of a window of whole minutes: ``7 days``, ``6 hours``, ``90 minutes``."""
    for name, unit in {"day": timedelta(days=1), "hour": timedelta(hours=1)}.items():
        if not span % unit:
            return plural(span // unit, name)
    return plural(span // timedelta(minutes=1), "minute")


def size(amount: float) -> str:
    """A number of bytes: ``812 B``, ``2.9 MB``; a kB is a thousand."""
    for unit in _UNITS[:-1]:
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} {_UNITS[-1]}"


def number(value: Decimal | int | str | None) -> str:
    """A value of an aggregate: a number with separators and at most two decimals, or three digits of a small one."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    exact = Decimal(value)
    if abs(exact) >= 10**15 or 0 < abs(exact) < Decimal("0.01"):
        return f"{exact:.3g}"
    return f"{exact:,.0f}" if exact == exact.to_integral_value() else f"{exact:,.2f}"
