"""Instants as people read them, in UTC and in a machine's own zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import typer

from etl_cli.time_options import parse_since
from etl_cli.times import Times

SUMMER = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)
WINTER = datetime(2026, 12, 1, 2, tzinfo=UTC)
# Between these two, clocks in Berlin were put back.
BEFORE, AFTER = datetime(2026, 10, 24, 2, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in Berlin; the rule is spelled out, so that no zone data are needed."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_instants_are_in_utc_unless_local_time_is_asked_for() -> None:
    assert Times().instant(SUMMER) == "2026-07-01 22:30:05 UTC"
    assert Times(local=True).instant(SUMMER) == "2026-07-02 00:30:05 CEST"
    assert Times(local=True).instant(WINTER) == "2026-12-01 03:00:00 CET"


def test_a_window_names_its_zone_once_and_both_where_the_clocks_change() -> None:
    assert Times().window(BEFORE, AFTER) == "2026-10-24 02:00:00 → 2026-10-25 02:00:00 UTC"
    assert Times(local=True).window(AFTER, WINTER) == "2026-10-25 03:00:00 → 2026-12-01 03:00:00 CET"
    assert Times(local=True).window(BEFORE, AFTER) == "2026-10-24 04:00:00 CEST → 2026-10-25 03:00:00 CET"


def test_a_heading_names_the_zones_of_the_times_below_it() -> None:
    assert Times().zones([SUMMER, WINTER]) == "UTC"
    assert Times(local=True).zones([SUMMER, WINTER, SUMMER]) == "CEST/CET"
    assert Times().zones([]) == "UTC"
    assert Times(local=True).zones([]) in ("CET", "CEST")


def test_since_is_an_instant_or_how_long_ago() -> None:
    assert parse_since("2026-12-01") == datetime(2026, 12, 1, tzinfo=UTC)
    assert parse_since("2026-12-01T02:00:00Z") == WINTER
    for text, ago in {"90m": timedelta(minutes=90), "2h": timedelta(hours=2), "7d": timedelta(days=7)}.items():
        assert timedelta() <= datetime.now(UTC) - ago - parse_since(text) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["yesterday", "2h30", "2026-13-01", "-2h", "999999d", "2026-12-01T02:00:00", ""])
def test_another_since_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is no time: 2026-11-01, .* how long ago: 90m, 2h, 7d"):
        parse_since(text)
