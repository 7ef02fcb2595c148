"""Numbers, sizes and times in words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from etl_cli.terminal.formats import duration, number, plural, size


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("amount", "expected"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4_570_814, "4.6 MB"), (5e15, "5000.0 TB")]
)
def test_sizes(amount: float, expected: str) -> None:
    assert size(amount) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (0, "0"),
        (1234567, "1,234,567"),
        (Decimal("2421.4"), "2,421.40"),
        (Decimal("1881"), "1,881"),
        (Decimal("271.02623089983022071"), "271.03"),
        (Decimal("0.00769"), "0.00769"),
        (Decimal("7.69E-57"), "7.69e-57"),
        (Decimal("-1.5E+40"), "-1.5e+40"),
    ],
)
def test_numbers_of_aggregates(value: Decimal | int | None, expected: str) -> None:
    assert number(value) == expected


def test_counts_have_the_right_noun() -> None:
    assert [plural(1, "item"), plural(4650, "item"), plural(2, "entry", "entries")] == [
        "1 item",
        "4,650 items",
        "2 entries",
    ]
