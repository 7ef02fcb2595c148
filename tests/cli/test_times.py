"""Instants as people read them, in UTC and in a machine's own zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from etl_cli.app import app
from etl_cli.terminal import formats
from etl_cli.terminal.time_options import parse_length, parse_since, parse_time
from etl_cli.terminal.times import Times

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


def test_a_window_names_both_zones_only_if_they_differ() -> None:
    assert Times().window(BEFORE, AFTER) == "2026-10-24 02:00:00 → 2026-10-25 02:00:00 UTC"
    assert Times(local=True).window(AFTER, WINTER) == "2026-10-25 03:00:00 → 2026-12-01 03:00:00 CET"
    assert Times(local=True).window(BEFORE, AFTER) == "2026-10-24 04:00:00 CEST → 2026-10-25 03:00:00 CET"


def test_a_heading_names_the_zones_of_the_times_below_it() -> None:
    assert Times().zones([SUMMER, WINTER]) == "UTC"
    assert Times(local=True).zones([SUMMER, WINTER, SUMMER]) == "CEST/CET"
    assert Times().zones([]) == "UTC"
    assert Times(local=True).zones([]) in ("CET", "CEST")


def test_since_is_an_instant_or_how_long_ago() -> None:
    assert parse_since("2026-12-01T03:00+01:00") == WINTER
    ago = {"90min": timedelta(minutes=90), "90m": timedelta(minutes=90), "2h": timedelta(hours=2)}
    for text, length in (ago | {"7d": timedelta(days=7), "2w": timedelta(weeks=2)}).items():
        assert timedelta() <= datetime.now(UTC) - length - parse_since(text) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["yesterday", "2h30", "2026-13-01", "-2h", "1M", "2H", "3mo", "1y", "½h", ""])
def test_another_since_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"no ISO 8601 time|no time zone") as raised:
        parse_since(text)

    assert "%" not in raised.value.message


def test_a_since_of_before_all_time_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="999999d"):
        parse_since("999999d")


@pytest.mark.parametrize("text", ["1M", "1mo", "1y", "1D", "0d", "1.5h", "1 d", "d", "1", "-1d", "1dd", "²d"])
def test_a_length_has_a_unit_that_means_one_thing(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is no length of time: .* min, h, d or w") as raised:
        parse_length(text, "--step")

    assert raised.value.param_hint == "--step"


@pytest.mark.parametrize(
    ("text", "length", "words"),
    [
        ("1d", timedelta(days=1), "1 day"),
        ("2w", timedelta(days=14), "14 days"),
        ("6h", timedelta(hours=6), "6 hours"),
        ("48h", timedelta(days=2), "2 days"),
        ("90m", timedelta(minutes=90), "90 minutes"),
        ("1min", timedelta(minutes=1), "1 minute"),
    ],
)
def test_lengths_in_words(text: str, length: timedelta, words: str) -> None:
    assert parse_length(text, "--step") == length
    assert formats.length(length) == words


@pytest.mark.parametrize("text", ["2026-12-01T02:00Z", "2026-12-01T03:00:00+01:00", "20261201T020000Z"])
def test_an_option_takes_a_time_with_its_zone(text: str) -> None:
    assert parse_time(text) == WINTER


@pytest.mark.parametrize("text", ["2026-12-01T02:00", "20261201T02", "2026-11-31", "2026-11", "2h", ""])
def test_an_option_refuses_other_texts(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write"):
        parse_time(text)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--start"),
        ("plan", "--end"),
        ("preview", "--start"),
        ("backfill", "--from"),
        ("backfill", "--to"),
        ("backfill", "--done-since"),
        ("runs", "--since"),
        ("gaps", "--since"),
        ("logs", "--since"),
        ("seed", "--until"),
    ],
    ids=" ".join,
)
def test_every_option_refuses_what_is_no_time_in_the_same_words(words: tuple[str, str]) -> None:
    done = CliRunner().invoke(app, [*words, "yesterday"])

    assert done.exit_code == 2
    assert words[1] in done.stderr
    assert "'yesterday' is no ISO 8601 time: write 2026-11-01, 2026-11-01T02:00Z or" in " ".join(
        done.stderr.replace("│", " ").split()
    )
    assert "%" not in done.stderr
