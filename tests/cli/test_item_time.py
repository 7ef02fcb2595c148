"""In which windows an item is read: the command's rule, held against the filter that Extract sends to DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.tables.timestamps import check_timestamps, window_filter
from etl_cli.items.item_time import instant_of, is_read_in, smallest_window, window_of_text
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant
from tests.fakes.filter_expression import matches
from tests.pipeline.test_quarantine import INVALID_TIMESTAMPS, VALID_TIMESTAMPS

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
instants = st.integers(0, int((LAST - FIRST).total_seconds()) - 1).map(lambda n: FIRST + timedelta(seconds=n))
near = st.sampled_from([shape["S"] for shape in INVALID_TIMESTAMPS if shape and "S" in shape] + [*VALID_TIMESTAMPS])


def is_fetched(window: Span, now: datetime, timestamp: dict[str, Any] | None) -> bool:
    """Whether a run that started at ``now`` fetches such an item, and doesn't leave it to a later one."""
    test = matches(window_filter(format_instant(window.start), format_instant(window.end), format_instant(now)))
    item = {"timestamp": timestamp} if timestamp else {}
    (verdict,) = check_timestamps([{name: value.get("S") for name, value in item.items()}], format_instant(now))
    return test(item) and verdict != "ahead"


def is_read(window: Span, now: datetime, timestamp: dict[str, Any] | None) -> bool:
    is_time = timestamp is not None and check_timestamps(
        [{"timestamp": timestamp.get("S")}], "9999-12-31T23:59:60Z"
    ) == [None]
    return is_read_in(window, now, timestamp, is_time=is_time)


@given(
    start=instants,
    seconds=st.integers(1, 10**8),
    later=st.integers(0, 10**8),
    text=st.one_of(near, st.text(), st.text("0123456789-T:.Z", max_size=30), instants.map(format_instant)),
)
@example(start=datetime(2024, 1, 15, tzinfo=UTC), seconds=86400, later=7200, text="2024-01-15T00:00:00Z")
@example(start=datetime(2024, 1, 15, tzinfo=UTC), seconds=86400, later=7200, text="2024-01-16T00:00:00Z")
@example(start=datetime(2024, 1, 15, tzinfo=UTC), seconds=86400, later=7200, text="2024-01-15T23:59:59.999999999Z")
def test_a_text_is_read_in_the_windows_in_which_it_is_fetched(
    start: datetime, seconds: int, later: int, text: str
) -> None:
    window = Span(start, start + timedelta(seconds=min(seconds, (LAST - start).total_seconds())))
    now = window.end + timedelta(seconds=min(later, (LAST - window.end).total_seconds()))

    assert is_read(window, now, {"S": text}) == is_fetched(window, now, {"S": text})


@pytest.mark.parametrize("timestamp", [None, *(shape for shape in INVALID_TIMESTAMPS if shape and "S" not in shape)])
def test_what_is_no_text_is_read_in_every_window(timestamp: dict[str, Any] | None) -> None:
    window = Span(datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 16, tzinfo=UTC))

    assert is_read(window, window.end, timestamp)
    assert is_fetched(window, window.end, timestamp)


@pytest.mark.parametrize("text", VALID_TIMESTAMPS)
def test_the_smallest_window_of_an_item_reads_it(text: str) -> None:
    instant = instant_of({"S": text})

    assert instant
    window = smallest_window(instant)
    assert is_read(window, LAST, {"S": text})
    assert not is_read(Span(window.end, window.end + timedelta(days=1)), LAST, {"S": text})
    assert not is_read(Span(FIRST, window.start), LAST, {"S": text})
    assert window_of_text({"S": text}) == window


@pytest.mark.parametrize("timestamp", [None, {"N": "1"}, {"S": "2024-13-45T00:00:00Z"}, {"S": "yesterday"}])
def test_what_is_no_instant_has_none(timestamp: dict[str, Any] | None) -> None:
    assert instant_of(timestamp) is None


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2024-13-45T00:00:00Z", "2024-12-31T23:59:59Z"),
        ("2024-02-30T00:00:00Z", "2024-02-29T23:59:59Z"),
        ("2024-01-15T10:00:00.Z", "2024-01-15T10:00:00Z"),
        ("2024-01-15T10:00:61Z", "2024-01-15T10:00:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("2-24-01-15T10:00:00Z", "1999-12-31T23:59:59Z"),
    ],
)
def test_a_text_that_is_no_time_lies_in_the_window_that_it_sorts_into(text: str, start: str) -> None:
    window = window_of_text({"S": text})

    assert format_instant(window.start) == start
    assert is_read(window, LAST, {"S": text})
