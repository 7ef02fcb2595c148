from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.model.errors import CatchUpError, InputError
from etl.model.instants import format_instant, parse_instant
from etl.model.windows import CLOCK_SKEW, Window, WindowRules, resolve_window

STARTED_AT = datetime(2024, 1, 16, 2, 0, 0, 123_000, UTC)
RULES = WindowRules(
    lookback=timedelta(hours=24),
    lateness=timedelta(minutes=15),
    catch_up=timedelta(days=30),
    event_window=timedelta(days=31),
)


def resolve(given_input: Any, started_at: datetime = STARTED_AT, watermark: str | None = None) -> Window:
    return resolve_window(
        given_input,
        started_at=started_at,
        rules=RULES,
        watermark=lambda: parse_instant(watermark) if watermark else None,
    )


def resolved(given_input: Any) -> tuple[str, str]:
    window = resolve(given_input)
    return window.start_text, window.end_text


DEFAULT = ("2024-01-15T01:45:00Z", "2024-01-16T02:00:00Z")


def test_an_empty_input_gives_lookback_and_lateness() -> None:
    assert resolved({}) == DEFAULT


def test_a_window_can_be_given_by_start_and_end() -> None:
    given_input = {"start": "2024-01-10T00:00:00Z", "end": "2024-01-11T12:30:00Z"}

    assert resolved(given_input) == ("2024-01-10T00:00:00Z", "2024-01-11T12:30:00Z")


def test_a_date_is_its_midnight_in_utc() -> None:
    assert resolved({"start": "2024-01-15", "end": "2024-01-16"}) == ("2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z")


def test_an_offset_is_turned_into_utc() -> None:
    given_input = {"start": "2024-01-15T01:00:00+01:00", "end": "2024-01-15T01:00:00-01:00"}

    assert resolved(given_input) == ("2024-01-15T00:00:00Z", "2024-01-15T02:00:00Z")


def test_lookback_hours_have_no_lateness() -> None:
    assert resolved({"lookback_hours": 48}) == ("2024-01-14T02:00:00Z", "2024-01-16T02:00:00Z")


def test_a_scheduled_event_gives_the_window_before_its_time() -> None:
    event = {"time": "2024-01-16T01:00:00Z", "detail": {}}

    assert resolved(event) == ("2024-01-15T00:45:00Z", "2024-01-16T01:00:00Z")


def test_a_whole_event_is_understood() -> None:
    event = {
        "version": "0",
        "id": "5a5f",
        "detail-type": "ETL Pipeline Trigger",
        "source": "manual.trigger",
        "account": "123456789012",
        "time": "2024-01-16T02:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"action": "start"},
    }

    assert resolved(event) == DEFAULT


def test_a_detail_has_the_fields_of_an_input() -> None:
    event = {"detail": {"action": "start", "start": "2024-01-10", "end": "2024-01-11"}}

    assert resolved(event) == ("2024-01-10T00:00:00Z", "2024-01-11T00:00:00Z")


def test_lookback_hours_of_an_event_count_back_from_its_time() -> None:
    event = {"time": "2024-01-16T01:00:00Z", "detail": {"lookback_hours": 1}}

    assert resolved(event) == ("2024-01-16T00:00:00Z", "2024-01-16T01:00:00Z")


def test_an_event_slightly_in_the_future_counts_as_the_start() -> None:
    event = {"time": format_instant(STARTED_AT.replace(microsecond=0) + CLOCK_SKEW)}

    assert resolved(event) == DEFAULT


def test_the_same_input_gives_the_same_window_in_a_retry() -> None:
    assert resolve({"lookback_hours": 3}) == resolve({"lookback_hours": 3})


@pytest.mark.parametrize(
    ("given_input", "message"),
    [
        (None, "the input must be a JSON object, got null"),
        ([], r"the input must be a JSON object, got \[\]"),
        ("2024-01-15", "the input must be a JSON object"),
        ({"begin": "x"}, 'unknown field "begin": allowed are start, end, lookback_hours'),
        ({"b": 1, "a": 2}, 'unknown field "a", "b"'),
        ({"start": "2024-01-15"}, "start needs end"),
        ({"end": "2024-01-15"}, "end needs start"),
        ({"start": "2024-01-15", "end": "2024-01-15"}, "start must be before end"),
        ({"start": "2024-01-16", "end": "2024-01-15"}, "start must be before end"),
        ({"start": "2024-01-15", "end": "2024-01-16T02:00:01Z"}, "end is in the future: 2024-01-16T02:00:01Z"),
        ({"start": "yesterday", "end": "2024-01-15"}, 'start .*ISO 8601.*"yesterday"'),
        ({"start": 1705276800, "end": "2024-01-15"}, "start must be an ISO 8601 time .* got 1705276800"),
        ({"start": "2024-01-15", "end": None}, "end must be an ISO 8601 time .* got null"),
        ({"start": "2024-01-14T10:00:00", "end": "2024-01-15"}, "start has no time zone.*write 2024-01-14T10:00:00Z"),
        ({"start": "20240114", "end": "2024-01-15"}, "start has no time zone.*write 2024-01-14T00:00:00Z"),
        ({"start": "2024-01-14T10:00:00.5Z", "end": "2024-01-15"}, "start must be on a whole second, got .*10:00:00.5"),
        ({"start": "0001-01-01T00:00:00+01:00", "end": "2024-01-15"}, "start .*ISO 8601"),
        ({"lookback_hours": 0}, "lookback_hours must be a whole number of hours from 1 to"),
        ({"lookback_hours": 1.5}, "lookback_hours must be a whole number"),
        ({"lookback_hours": True}, "lookback_hours must be a whole number"),
        ({"lookback_hours": "24"}, "lookback_hours must be a whole number"),
        ({"lookback_hours": 10**9}, "lookback_hours must be a whole number of hours from 1 to"),
        ({"lookback_hours": 1, "start": "2024-01-15"}, "lookback_hours can't be combined with start and end"),
        ({"detail": []}, r"detail must be a JSON object, got \[\]"),
        ({"detail": {"action": "stop"}}, 'detail.action must be "start", got "stop"'),
        ({"detail": {"begin": 1}}, 'unknown field "begin"'),
        ({"detail": {}, "start": "2024-01-15"}, 'unknown field "start": allowed are version'),
        ({"time": "now"}, 'time .*ISO 8601.*"now"'),
        ({"time": "2024-01-16T02:05:01Z"}, "time is in the future: 2024-01-16T02:05:01Z"),
        ({"time": "0001-01-01T05:00:00Z"}, "time is too early for a window"),
        ({"detail": {"lookback_hours": 31 * 24 + 1}}, "longer than the 31 days .*EVENT_WINDOW_DAYS"),
        ({"detail": {"start": "2023-12-01", "end": "2024-01-01T00:00:01Z"}}, "longer than the 31 days"),
        ({"time": "2024-01-16T01:00:00Z", "detail": {"lookback_hours": 17_000_000}}, "longer than the 31 days"),
        ({"x" * 200: 1}, 'unknown field "x{70,}\\.\\.\\.'),
    ],
)
def test_a_wrong_input_is_refused_with_its_field(given_input: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(given_input)


def test_the_longest_lookback_is_accepted() -> None:
    hours = int((STARTED_AT - datetime.min.replace(tzinfo=UTC)).total_seconds() // 3600)

    assert resolve({"lookback_hours": hours}).start.year == 1


def test_a_suggested_time_is_accepted() -> None:
    with pytest.raises(InputError) as refused:
        resolve({"start": "2024-01-14T10:00:00.75+00:00", "end": "2024-01-15"})
    suggestion = str(refused.value).rpartition("write ")[2]

    assert resolve({"start": suggestion, "end": "2024-01-15"}).start_text == "2024-01-14T10:00:00Z"


def test_an_instant_is_written_in_utc() -> None:
    assert format_instant(datetime(2024, 1, 15, 1, tzinfo=timezone(timedelta(hours=1)))) == "2024-01-15T00:00:00Z"


def test_a_fraction_of_a_second_is_written_in_milliseconds() -> None:
    assert format_instant(STARTED_AT) == "2024-01-16T02:00:00.123Z"


INSTANTS = st.datetimes(timezones=st.timezones() | st.just(UTC)).map(lambda instant: instant.isoformat())
LATEST = datetime(2024, 2, 1)  # noqa: DTZ001 - hypothesis adds the zone
EARLIEST = datetime(2020, 1, 1)  # noqa: DTZ001
WHOLE = st.datetimes(max_value=LATEST).map(lambda instant: instant.replace(microsecond=0).isoformat())
TIMES = (
    INSTANTS
    | WHOLE.map(lambda text: text + "Z")
    | st.dates().map(str)
    | st.text(max_size=30)
    | st.none()
    | st.integers()
)
HOURS = st.integers(-5, 30_000_000) | st.floats() | st.booleans() | st.text(max_size=5)
FIELDS = st.fixed_dictionaries(
    {}, optional={"start": TIMES, "end": TIMES, "lookback_hours": HOURS, "action": st.sampled_from(["start", "stop"])}
)
PLAIN = st.fixed_dictionaries({}, optional={"start": TIMES, "end": TIMES}) | st.fixed_dictionaries(
    {}, optional={"lookback_hours": HOURS, "since": TIMES}
)
EVENTS = st.fixed_dictionaries({}, optional={"time": TIMES, "detail": FIELDS | TIMES, "start": TIMES})
NAMES = ("input", "start", "end", "lookback_hours", "action", "time", "detail", "since")


@given(PLAIN | EVENTS | TIMES, st.datetimes(min_value=EARLIEST, timezones=st.just(UTC)))
@example({"time": "0001-01-02T00:00:00Z", "detail": {}}, STARTED_AT)
@example({"time": "0001-01-01T00:00:00Z"}, STARTED_AT)
def test_an_input_gives_a_window_or_names_the_field(given_input: Any, started_at: datetime) -> None:
    try:
        window = resolve(given_input, started_at)
    except InputError as error:
        message = str(error).partition("; examples")[0]
    else:
        message = ""
    if message:
        assert any(name in message for name in NAMES)
        return

    assert window.start < window.end <= started_at
    assert window.start.utcoffset() == window.end.utcoffset() == timedelta(0)
    assert (window.start.microsecond, window.end.microsecond) == (0, 0)


@given(WHOLE, WHOLE)
def test_a_window_that_is_given_is_the_window_that_is_read(one: str, other: str) -> None:
    start, end = sorted((one, other))
    if start == end or end > "2024-01-16T02:00:00":
        return

    assert resolved({"start": start + "Z", "end": end + "Z"}) == (start + "Z", end + "Z")


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_reads_back_to_the_millisecond(instant: datetime) -> None:
    read = parse_instant(format_instant(instant))

    assert read == instant.replace(microsecond=instant.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("watermark", "start"),
    [
        (None, "2024-01-15T01:45:00Z"),
        ("2024-01-15T02:00:00Z", "2024-01-15T01:45:00Z"),
        ("2024-01-15T01:59:59Z", "2024-01-15T01:44:59Z"),
        ("2024-01-12T02:00:00Z", "2024-01-12T01:45:00Z"),
        ("2023-12-17T02:00:00Z", "2023-12-17T01:45:00Z"),
        ("2024-01-15T23:00:00Z", "2024-01-15T01:45:00Z"),
        ("2024-01-17T02:00:00Z", "2024-01-15T01:45:00Z"),
    ],
)
def test_a_window_reaches_back_to_the_watermark_or_the_lookback(watermark: str | None, start: str) -> None:
    window = resolve({}, watermark=watermark)

    assert (window.start_text, window.end_text) == (start, "2024-01-16T02:00:00Z")


def test_the_longest_window_of_an_event_is_read() -> None:
    assert resolved({"detail": {"lookback_hours": 31 * 24}}) == ("2023-12-16T02:00:00Z", "2024-01-16T02:00:00Z")


def test_the_limit_of_events_is_not_that_of_executions() -> None:
    event = resolve_window(
        {"time": "2024-01-16T02:00:00Z", "detail": {}},
        started_at=STARTED_AT,
        rules=RULES._replace(event_window=timedelta(days=1)),
        watermark=lambda: datetime(2023, 12, 20, tzinfo=UTC),
    )

    assert event.start_text == "2023-12-19T23:45:00Z"
    assert resolve({"lookback_hours": 9_000}).end_text == "2024-01-16T02:00:00Z"


def test_a_late_event_sets_the_first_watermark_by_its_time() -> None:
    window = resolve({"time": "2024-01-16T00:00:01Z", "detail": {}})

    assert window.first_watermark == datetime(2024, 1, 15, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize("time", ["2024-01-16T02:00:00Z", "2024-01-15T23:59:59Z", "2001-01-01T00:00:00Z"])
def test_the_first_watermark_is_at_most_a_lookback_ago(time: str) -> None:
    assert resolve({}).first_watermark == datetime(2024, 1, 15, 2, tzinfo=UTC)
    assert resolve({"time": time, "detail": {"action": "start"}}).first_watermark == datetime(
        2024, 1, 15, 2, tzinfo=UTC
    )


def test_an_event_reaches_back_to_the_watermark_as_well() -> None:
    window = resolve({"time": "2024-01-15T12:00:00Z", "detail": {}}, watermark="2024-01-12T02:00:00Z")

    assert (window.start_text, window.end_text) == ("2024-01-12T01:45:00Z", "2024-01-15T12:00:00Z")


@pytest.mark.parametrize(
    "given_input",
    [{"start": "2024-01-10", "end": "2024-01-11"}, {"lookback_hours": 2}, {"detail": {"lookback_hours": 2}}],
)
def test_a_window_that_is_asked_for_sets_no_watermark(given_input: Any) -> None:
    assert resolve(given_input, watermark="2000-01-01T00:00:00Z").first_watermark is None


def test_too_long_a_gap_is_an_error_with_its_command() -> None:
    with pytest.raises(CatchUpError) as error:
        resolve({}, watermark="2023-12-17T01:59:59Z")

    assert (error.value.start, error.value.end) == ("2023-12-17T01:59:59Z", "2024-01-16T02:00:00Z")
    assert error.value.most_days == 30
    assert """ --input '{"start": "2023-12-17T01:59:59Z", "end": "2024-01-16T02:00:00Z"}'""" in str(error.value)
