"""Covered time and gaps, held against a model that knows every hour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etl_cli.runs.coverage import Coverage, find_coverage, merged, of_whole_table, without
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.terminal.times import Span

ORIGIN = datetime(2026, 11, 1, tzinfo=UTC)
NOW = 72


def at(hour: int) -> datetime:
    return ORIGIN + timedelta(hours=hour)


def span(start: int, end: int) -> Span:
    return Span(at(start), at(end))


def hours(spans: Iterable[Span]) -> set[int]:
    """The hours that lie in spans."""
    return {hour for start, end in spans for hour in range(-10, 200) if start <= at(hour) < end}


def coverage(
    *runs: LedgerEntry, watermark: tuple[int, int] | None = None, since: int = -9, overdue: int = 25
) -> Coverage:
    mark = Watermark(at(watermark[0]), at(watermark[1])) if watermark else None
    return find_coverage(runs, mark, at(NOW), timedelta(hours=overdue), at(since))


def succeeded(start: int, end: int) -> LedgerEntry:
    return LedgerEntry("SUCCEEDED", span(start, end))


def failed(start: int, end: int) -> LedgerEntry:
    return LedgerEntry("FAILED", span(start, end))


SPANS = st.lists(st.builds(span, st.integers(0, 40), st.integers(0, 40)))


@given(SPANS)
def test_merged_spans_are_the_same_hours_in_order_and_apart(spans: list[Span]) -> None:
    found = merged(spans)

    assert hours(found) == hours(spans)
    assert all(one.end < other.start for one, other in pairwise(found))
    assert all(start < end for start, end in found)


@given(SPANS, SPANS)
def test_without_keeps_every_hour_that_is_not_removed(spans: list[Span], taken: list[Span]) -> None:
    found = without(spans, taken)

    assert hours(found) == hours(spans) - hours(taken)
    assert found == merged(found)


RUNS = st.lists(
    st.builds(
        lambda status, start, length: LedgerEntry(status, span(start, min(start + length, NOW)) if length else None),
        st.sampled_from(["SUCCEEDED", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "UNKNOWN", "RUNNING"]),
        st.integers(0, NOW - 1),
        st.integers(0, 30),
    )
)


@given(RUNS, st.none() | st.tuples(st.integers(0, 30), st.integers(0, 42)), st.integers(0, 20), st.integers(1, 60))
def test_gaps_are_due_time_that_no_run_covered(
    runs: list[LedgerEntry], mark: tuple[int, int] | None, since: int, overdue: int
) -> None:
    mark = (mark[0], mark[0] + mark[1]) if mark else None
    found = coverage(*runs, watermark=mark, since=since, overdue=overdue)

    covered = hours(run.window for run in runs if run.window and run.status == "SUCCEEDED")
    covered |= set(range(*mark)) if mark else set()
    owed = hours(run.window for run in runs if run.window and run.status not in ("SUCCEEDED", "RUNNING"))
    owed |= set(range(mark[0], NOW)) if mark else set()
    missing = {hour for hour in owed - covered if hour >= since}
    last = max(missing, default=0)
    while last - 1 in missing:
        last -= 1
    waits = mark is not None and NOW - 1 in missing and last > NOW - overdue
    assert hours([found.pending] if found.pending else []) == ({h for h in missing if h >= last} if waits else set())
    assert hours(found.gaps) == ({h for h in missing if h < last} if waits else missing)
    assert found.gaps == merged(found.gaps)


def test_nothing_has_run_and_nothing_is_missing() -> None:
    assert coverage() == Coverage([], None, None)


def test_time_is_a_gap_from_the_second_night_on() -> None:
    assert coverage(watermark=(0, NOW - 24)).gaps == []
    assert coverage(watermark=(0, NOW - 24)).pending == span(NOW - 24, NOW)
    assert coverage(watermark=(0, NOW - 25)).gaps == [span(NOW - 25, NOW)]


def test_a_night_that_failed_is_a_gap_until_the_next_covers_it() -> None:
    runs = [succeeded(0, 24), failed(24, 48)]

    assert coverage(*runs, watermark=(0, 24)).gaps == [span(24, NOW)]
    assert coverage(*runs, succeeded(24, 72), watermark=(0, 72)).gaps == []


def test_runs_out_of_order_leave_the_watermark_behind() -> None:
    runs = [succeeded(48, 72), succeeded(24, 48)]

    assert coverage(*runs, watermark=(0, 48)) == Coverage([], None, span(48, 72))
    assert coverage(*runs, watermark=(0, 72)).behind is None
    assert coverage(succeeded(60, 72), watermark=(0, 48)).behind is None


def test_a_replay_covers_and_misses_nothing() -> None:
    replays = [
        replace(succeeded(0, 10), replay="20261103T020000000Z"),
        replace(failed(20, 30), replay="20261103T020000000Z"),
    ]

    assert coverage(*replays) == Coverage([], None, None)


def test_without_a_change_time_a_run_covers_the_windows_before_it() -> None:
    runs = of_whole_table([succeeded(44, 48), failed(20, 44), failed(50, 60), succeeded(0, 20)])
    found = find_coverage(runs, Watermark(at(0), at(20)), at(NOW), timedelta(hours=10))

    assert hours(found.gaps) == set(range(48, NOW))
    assert hours(find_coverage(runs[:2], None, at(NOW), timedelta(hours=10)).gaps) == set()
