"""In which windows an item is read: the command's rule, held against the filter that Extract sends to DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.timestamps import window_filter
from etl_cli.explain.item_time import instant_of, is_read_in, smallest_window
from etl_cli.times import Span
from etl_cli.wording import format_instant
from tests.pipeline.test_quarantine import INVALID_TIMESTAMPS, VALID_TIMESTAMPS
from tests.unit.fakes.filter_expression import matches

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
instants = st.integers(0, int((LAST - FIRST).total_seconds()) - 1).map(lambda n: FIRST + timedelta(seconds=n))
near = st.sampled_from([shape["S"] for shape in INVALID_TIMESTAMPS if shape and "S" in shape] + [*VALID_TIMESTAMPS])


def is_fetched(window: Span, timestamp: dict[str, Any] | None) -> bool:
    test = matches(window_filter(format_instant(window.start), format_instant(window.end)))
    return test({"timestamp": timestamp} if timestamp else {})


@given(
    start=instants,
    seconds=st.integers(1, 10**8),
    text=st.one_of(near, st.text(), st.text("0123456789-T:.Z", max_size=30), instants.map(format_instant)),
)
@example(start=datetime(2024, 1, 15, tzinfo=UTC), seconds=86400, text="2024-01-15T00:00:00Z")
@example(start=datetime(2024, 1, 15, tzinfo=UTC), seconds=86400, text="2024-01-16T00:00:00Z")
@example(start=datetime(2024, 1, 15, tzinfo=UTC), seconds=86400, text="2024-01-15T23:59:59.999999999Z")
def test_a_text_is_read_in_the_windows_in_which_it_is_fetched(start: datetime, seconds: int, text: str) -> None:
    window = Span(start, start + timedelta(seconds=min(seconds, (LAST - start).total_seconds())))

    assert is_read_in(window, {"S": text}) == is_fetched(window, {"S": text})


@pytest.mark.parametrize("timestamp", [None, *(shape for shape in INVALID_TIMESTAMPS if shape and "S" not in shape)])
def test_what_is_no_text_is_read_in_every_window(timestamp: dict[str, Any] | None) -> None:
    window = Span(datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 16, tzinfo=UTC))

    assert is_read_in(window, timestamp)
    assert is_fetched(window, timestamp)


@pytest.mark.parametrize("text", VALID_TIMESTAMPS)
def test_the_smallest_window_of_an_item_reads_it(text: str) -> None:
    instant = instant_of({"S": text})

    assert instant
    window = smallest_window(instant)
    assert is_read_in(window, {"S": text})
    assert not is_read_in(Span(window.end, window.end + timedelta(days=1)), {"S": text})
    assert not is_read_in(Span(FIRST, window.start), {"S": text})


@pytest.mark.parametrize("timestamp", [None, {"N": "1"}, {"S": "2024-13-45T00:00:00Z"}, {"S": "yesterday"}])
def test_what_is_no_instant_has_none(timestamp: dict[str, Any] | None) -> None:
    assert instant_of(timestamp) is None
