from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.model.instants import format_instant
from etl.model.rejection import RejectedError, UntimedError
from etl.model.schema import SPECIFIED
from etl.tables.change_time import EVER, bounds, rule_of
from etl.values.attribute_values import from_wire
from tests.fakes.filter_expression import matches
from tests.unit.builders import array

RULE = rule_of(SPECIFIED.time)
START, END, NOW = "2024-01-15T00:00:00Z", "2024-01-16T00:00:00Z", "2024-01-16T02:00:00.123Z"
# After every time that there is.
LAST = "9999-12-31T23:59:59Z"


def picked(timestamp: dict[str, Any] | None, start: str = START, end: str = END, now: str = NOW) -> bool:
    """Whether the window's filter picks an item with this timestamp."""
    item = {"id": {"S": "x"}} | ({"timestamp": timestamp} if timestamp else {})
    return matches(RULE.filter(bounds(start, end, now)))(item)


def checked(*timestamps: dict[str, Any] | None, now: str = LAST) -> list[str | None]:
    """The finding for each of these timestamps in quarantine; None for a time, "ahead" for one after ``now``."""
    items = [{"id": {"S": "x"}} | ({"timestamp": each} if each else {}) for each in timestamps]
    verdicts = RULE.check(from_wire(array(items)), bounds(*EVER, now))
    return [verdict.got if isinstance(verdict, RejectedError) else verdict for verdict in verdicts]


def is_time(timestamp: dict[str, Any] | None) -> bool:
    (alone,), (first, among, last) = checked(timestamp), checked({"S": START}, timestamp, {"S": END})
    assert (first, among, last) == (None, alone, None)
    return alone is None


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15T00:00:00Z",
        "2024-01-15T00:00:00.000Z",
        "2024-01-15T10:00:00.123456789Z",
        "2024-01-15T23:59:59Z",
        "2024-01-15T23:59:59.999999Z",
    ],
)
def test_a_time_of_the_window_is_picked_and_is_one(text: str) -> None:
    assert picked({"S": text})
    assert is_time({"S": text})


@pytest.mark.parametrize(
    "text",
    ["2024-01-14T23:59:59Z", "2024-01-14T23:59:59.999999Z", "2024-01-16T00:00:00Z", "2024-01-16T00:00:00.000Z"],
)
def test_a_time_outside_of_the_window_is_not_picked(text: str) -> None:
    assert not picked({"S": text})


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "2024-01-16T02:00:00Z", "2024-01-16T02:00:00.1Z"])
def test_a_time_from_the_runs_start_on_belongs_to_a_later_run(text: str) -> None:
    assert picked({"S": text})
    assert checked({"S": text}, now=NOW) == ["ahead"]


def test_a_time_between_window_and_start_is_the_next_runs() -> None:
    assert not picked({"S": "2024-01-16T01:59:59.999Z"})


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        {"N": "1705312800"},
        {"NULL": True},
        {"BOOL": True},
        {"B": "MjAyNA=="},
        {"M": {}},
        {"L": [{"S": "2024-01-15T10:00:00Z"}]},
        {"SS": ["2024-01-15T10:00:00Z"]},
        {"S": ""},
        {"S": "yesterday"},
        {"S": "2024-01-15"},
        {"S": "2023-06-01"},
        {"S": "2023-06-01T10:00Z"},
        {"S": "2023-06-01T10:00:00"},
        {"S": "2023-06-01T10:00:00+00:00"},
        {"S": "2023-06-01 10:00:00.000Z"},
        {"S": "20230601T100000.000000Z"},
        {"S": "0000-01-01T00:00:00Z"},
        {"S": "9999-99-99T00:00:00Z"},
        {"S": " 2023-06-01T10:00:00Z"},
        {"S": "+2023-06-01T10:00:00Z"},
        {"S": "2O24-01-15T10:00:00Z"},
        {"S": "1O24-01-15T10:00:00Z"},
        {"S": "202O-01-15T10:00:00Z"},
        {"S": "2023-O6-01T10:00:00Z"},
        {"S": "2023-06-0lT10:00:00Z"},
        {"S": "2023-06-01T10:00:00Z, said the clock"},
        {"S": "20\uff124-01-15T10:00:00Z"},
        {"S": "20:24-01-15T10:00:00Z"},
        {"S": "3024-99-99T10:00:00Z"},
        {"S": "Monday, 15 January 2024"},
    ],
)
def test_a_text_that_is_no_time_is_read_in_every_window(timestamp: dict[str, Any] | None) -> None:
    assert picked(timestamp)
    assert not is_time(timestamp)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15T24:00:00Z",
        "2024-01-15T10:60:00Z",
        "2024-01-15T10:00:60Z",
        "2024-01-15T10:00:00.Z",
        "2024-01-15T10:00:00Z\n",
        "2024-01-15T10:00:00ZZ",
        "2024-01-15T10:00:00z but Z",
    ],
)
def test_a_text_that_sorts_into_a_window_is_no_time_there(text: str) -> None:
    assert picked({"S": text})
    assert not is_time({"S": text})


def test_a_day_that_does_not_exist_is_no_time() -> None:
    assert not is_time({"S": "2023-02-29T10:00:00Z"})


@pytest.mark.parametrize(
    ("timestamp", "got"),
    [
        (None, ""),
        ({"S": "bad" * 30}, repr(("bad" * 30)[:40])),
        ({"N": "5"}, "an attribute of type N"),
        ({"N": "5.5"}, "an attribute of type N"),
        ({"B": "AA=="}, "an attribute of type B"),
        ({"BOOL": True}, "an attribute of type BOOL"),
        ({"NULL": True}, "an attribute of type NULL"),
        ({"M": {}}, "an attribute of type M"),
        ({"L": []}, "an attribute of type L"),
        ({"SS": [START]}, "an attribute of type SS"),
        ({"NS": ["5"]}, "an attribute of type NS"),
        ({"BS": ["AA=="]}, "an attribute of type BS"),
    ],
)
def test_a_rejection_says_what_was_there(timestamp: dict[str, Any] | None, got: str) -> None:
    assert checked(timestamp) == [got]


def test_a_rejection_says_what_is_expected() -> None:
    (reason,) = RULE.check([{"timestamp": "soon"}], bounds(START, END, NOW))

    assert isinstance(reason, UntimedError)
    assert (reason.field, reason.got) == ("timestamp", "'soon'")


def test_no_records_have_nothing_to_reject() -> None:
    assert RULE.check([], bounds(START, END, NOW)) == []


@pytest.mark.parametrize(
    "bad", ["", "soon", "2023-02-29T10:00:00Z", f"{START}\n{END}", f"\n{START}", f"{START}\n", "\n"]
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_bad_text_among_times_is_noticed_wherever_it_is(bad: str, position: int) -> None:
    texts = [START, "2024-01-15T10:00:00.123456789Z"]
    texts.insert(position, bad)
    found = checked(*({"S": text} for text in texts))

    assert found == [repr(bad[:40]) if text == bad else None for text in texts]


def test_the_reserved_word_is_written_as_an_alias() -> None:
    request = RULE.filter(bounds(START, END, NOW))

    assert request["ExpressionAttributeNames"] == {"#time": "timestamp"}
    assert " timestamp" not in request["FilterExpression"]


SECONDS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 31, 23, 59, 58),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda instant: instant.replace(microsecond=0))
FRACTIONS = st.text("0123456789", min_size=1, max_size=12).map(lambda digits: "." + digits) | st.just("")


@given(SECONDS, FRACTIONS, st.integers(-3, 3), st.integers(1, 3))
def test_a_time_is_picked_if_and_only_if_it_is_in_the_window(
    instant: datetime, fraction: str, offset: int, length: int
) -> None:
    start = instant + timedelta(seconds=offset) if instant.year > 1 else instant
    end = start + timedelta(seconds=length) if start.year < 9999 else start
    # A fraction of a second lies between two bounds on whole ones: it can't change the answer.
    inside = start <= instant < end
    text = format_instant(instant).removesuffix("Z") + fraction + "Z"

    assert is_time({"S": text})
    assert picked({"S": text}, format_instant(start), format_instant(end), LAST) == inside


def ever_picked(text: str) -> bool:
    """Whether some window picks the text: each does, or it sorts into one from the calendar's first to the present."""
    return picked({"S": text}) or "0001-01-01T00:00:00" <= text < NOW[:19]


ALPHABET = "0123456789-T:Z. +aé"


@given(
    st.text(max_size=30)
    | st.text(ALPHABET, min_size=15, max_size=30)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{6,8}\.?[0-9]*Z", fullmatch=True)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.[0-9]{2}:[0-9]{2}:[0-9]{2}[TZ].?", fullmatch=True)
)
@example("0000-00-00T00:00:00Z")
@example("9999-12-31T23:59:60Z")
@example("9999-13-01T00:00:00Z")
def test_a_malformed_time_is_read_in_some_window(text: str) -> None:
    if not is_time({"S": text}):
        assert ever_picked(text)


@given(SECONDS, FRACTIONS)
def test_no_guard_picks_a_valid_time(instant: datetime, fraction: str) -> None:
    text = format_instant(instant).removesuffix("Z") + fraction + "Z"
    outside = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:01Z")

    assert not picked({"S": text}, *outside, now=LAST)
