"""The windows in which an item is read, in each format: as DynamoDB's filter and Transform decide it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.model.change_time import ChangeTime, Format
from etl.model.instants import format_instant
from etl.model.schema import SPECIFIED
from etl.tables.change_time import ABSENT, bounds, rule_of
from etl.values.attribute_values import from_wire
from etl_cli.items.item_time import in_words, is_read_by_all, is_read_in, smallest_window, span_of, untimed, value_of
from etl_cli.terminal.times import Span
from tests.fakes.filter_expression import matches
from tests.pipeline.test_quarantine import INVALID_TIMESTAMPS, VALID_TIMESTAMPS

FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
DAY = Span(datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 16, tzinfo=UTC))
FORMATS: tuple[Format, ...] = get_args(Format)
NONE: Format = "none"
PATHS = [("timestamp",), ("audit", "updated.at")]
instants = st.integers(0, int((LAST - FIRST).total_seconds()) - 1).map(lambda n: FIRST + timedelta(seconds=n))
near = st.sampled_from([shape["S"] for shape in INVALID_TIMESTAMPS if shape and "S" in shape] + [*VALID_TIMESTAMPS])
written = st.one_of(
    instants.map(format_instant),
    instants.map(lambda each: each.strftime("%Y-%m-%d").zfill(10)),
    st.tuples(instants, st.sampled_from(["", "+01:00", "-0530", "Z", "+23:59"]), st.sampled_from("T ")).map(
        lambda each: each[0].replace(tzinfo=None).isoformat(each[2]) + each[1]
    ),
    st.integers(-(10**11), 10**12).map(str),
)
texts = st.one_of(near, written, st.text(), st.text("0123456789-T:.Z +", max_size=30)).map(lambda text: {"S": text})
numbers = st.one_of(
    st.integers(-(10**14), 10**20).map(str),
    st.decimals(-(10**12), 10**21, allow_nan=False, places=3).map(str),
    instants.map(lambda each: str(int((each - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()))),
).map(lambda text: {"N": text})
others: st.SearchStrategy[dict[str, Any] | None] = st.sampled_from(
    [None, {"NULL": True}, {"BOOL": True}, {"SS": ["2024-01-15T10:00:00Z"]}, {"L": []}]
)


def change_time(form: Format, path: tuple[str, ...] = ("timestamp",)) -> ChangeTime:
    return ChangeTime(path=path, format=form, zone="Europe/Berlin")


def item(path: tuple[str, ...], value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    for name in reversed(path):
        value = {name: value} if name == path[0] else {"M": {name: value}}
    return value


@pytest.mark.parametrize("path", PATHS, ids=["name", "path"])
@pytest.mark.parametrize("form", [each for each in FORMATS if each != NONE])
@given(
    start=instants, seconds=st.integers(1, 10**8), later=st.integers(0, 10**8), value=st.one_of(texts, numbers, others)
)
@example(start=DAY.start, seconds=86400, later=7200, value={"S": "2024-01-15T00:00:00Z"})
@example(start=DAY.start, seconds=86400, later=7200, value={"S": "2024-01-16T00:00:00Z"})
@example(start=DAY.start, seconds=86400, later=7200, value={"S": "2024-01-15T23:59:59.999999999Z"})
@example(start=DAY.start, seconds=86400, later=7200, value={"S": "2024-01-15"})
@example(start=DAY.start, seconds=86400, later=7200, value={"S": "2024-01-16 14:00:00"})
@example(start=DAY.start, seconds=86400, later=7200, value={"N": "1705276800"})
@example(start=DAY.start, seconds=86400, later=7200, value={"N": "1705276800000.5"})
def test_the_rule_picks_the_items_of_its_filter(
    form: Format, path: tuple[str, ...], start: datetime, seconds: int, later: int, value: dict[str, Any] | None
) -> None:
    end = start + timedelta(seconds=min(seconds, (LAST - start).total_seconds()))
    now = end + timedelta(seconds=min(later, (LAST - end).total_seconds()))
    run = bounds(*map(format_instant, (start, end, now)))
    time, wire = change_time(form, path), item(path, value)
    (record,) = from_wire(json.dumps([wire]).encode())

    picked = rule_of(time).picks(rule_of(time).value(record), run)

    assert picked == matches(rule_of(time).filter(run))(wire)
    # No item of the run is missing from the filter, and nothing but items without a time is read besides.
    left_out = rule_of(time).verdict(record, run) in ("ahead", "outside")
    assert is_read_in(time, value_of(time, json.dumps(wire).encode()), Span(start, end), now) == (
        picked and not left_out
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [ABSENT, None, True, b"a", ["2024-01-15T10:00:00Z"], {"M": 1}])
def test_another_type_is_read_in_every_window(form: Format, value: Any) -> None:
    assert is_read_in(change_time(form), value, DAY, DAY.end)
    assert is_read_by_all(change_time(form), value)


TIMES: list[tuple[Format, Any, str, str]] = [
    *(("iso", text, text[:19] + "Z", text[:19] + "Z") for text in VALID_TIMESTAMPS),
    ("iso_offset", "2024-01-15 10:00+0530", "2024-01-15T04:30:00Z", "2024-01-15T04:30:59Z"),
    ("iso_local", "2024-01-15T10:00:00.5", "2024-01-15T09:00:00Z", "2024-01-15T09:00:00Z"),
    ("iso_local", "2023-10-29T02:30:00", "2023-10-29T00:30:00Z", "2023-10-29T01:30:00Z"),
    ("date", "2024-01-15", "2024-01-15T00:00:00Z", "2024-01-15T23:59:59Z"),
    ("epoch_s", 1705312800, "2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
    ("epoch_ms", "1705312800999", "2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
    ("epoch_us", 1705312800 * 10**6, "2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
    ("epoch_ns", 1705312800 * 10**9, "2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
    ("iso_offset", "0001-01-01T00:00+23:59", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ("iso_offset", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
]


@pytest.mark.parametrize(("form", "value", "first", "last"), TIMES)
def test_a_time_has_a_first_and_a_last_second(form: Format, value: Any, first: str, last: str) -> None:
    found = span_of(change_time(form), value)

    assert found
    assert (format_instant(found.start), format_instant(found.end)) == (first, last)
    assert untimed(change_time(form), value) is None


@pytest.mark.parametrize(("form", "value", "first", "last"), TIMES[:-2])
def test_the_smallest_window_of_an_item_reads_it(form: Format, value: Any, first: str, last: str) -> None:
    time, start, end = change_time(form), datetime.fromisoformat(first), datetime.fromisoformat(last)
    second = timedelta(seconds=1)

    assert is_read_in(time, value, smallest_window(start), LAST)
    assert is_read_in(time, value, smallest_window(end), LAST)
    assert not is_read_in(time, value, Span(end + second, end + timedelta(days=1)), LAST) or form == "epoch_ms"
    assert not is_read_in(time, value, Span(FIRST, start), LAST)


@pytest.mark.parametrize("value", [ABSENT, 1, "2024-13-45T00:00:00Z", "yesterday"])
def test_a_value_that_is_no_time_is_rejected(value: Any) -> None:
    rejection = untimed(SPECIFIED.time, value)

    assert rejection
    assert rejection.untimed
    assert rejection.field == "timestamp"


def test_a_table_without_a_time_has_no_item_without_one() -> None:
    assert untimed(change_time("none"), ABSENT) is None
    assert span_of(change_time("none"), ABSENT) is None


@pytest.mark.parametrize(("text", "by_all"), [("2O24-01-15T10:00:00Z", True), ("2023-13-45T10:00:00Z", False)])
def test_a_text_that_sorts_as_a_time_is_read_by_some_runs(text: str, by_all: bool) -> None:
    assert is_read_by_all(SPECIFIED.time, text) is by_all


@pytest.mark.parametrize(
    ("form", "value", "words"),
    [
        ("iso", "2024-01-15T10:00:00Z", ""),
        ("iso", "yesterday", ""),
        ("none", ABSENT, "each run reads each item"),
        ("date", "2024-01-15", "a whole day in UTC"),
        ("epoch_s", 1705312800, "2024-01-15T10:00:00Z"),
        ("iso_offset", "2024-01-15T10:00+01:00", "2024-01-15T09:00:00Z to 2024-01-15T09:00:59Z"),
        ("iso_local", "2024-07-15T10:00:00", "2024-07-15T08:00:00Z, by the clocks of Europe/Berlin"),
        ("iso_local", "2023-10-29T02:30:00", "it may be either"),
    ],
)
def test_a_time_is_explained_in_words(form: Format, value: Any, words: str) -> None:
    said = in_words(change_time(form), span_of(change_time(form), value))

    assert words in said
    assert bool(words) == bool(said)
