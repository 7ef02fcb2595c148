"""Inputs of executions and events of workers that nobody would write: each is refused in words, or understood."""

import re
from datetime import datetime
from random import Random
from typing import Any

import msgspec
import pytest

from etl import extract, load, transform
from etl.handler import run_of, segments_of, work_of
from etl.model.errors import BalanceError, ConfigurationError, InputError, StagingError
from tests.fakes.pipeline import EXECUTION, Context, FakePipeline, plan_event
from tests.unit.builders import array, hold, item, run
from tests.unit.hostile import SECRET, changed, check_message, odd, repeated

STARTED_AT = datetime.fromisoformat(EXECUTION["started_at"])
EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "ETL FakePipeline Trigger",
    "source": "manual.trigger",
    "account": "123456789012",
    "time": "2024-01-16T02:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {"action": "start", "lookback_hours": 48},
}
DAY = {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}
INPUTS: list[Any] = [
    {},
    DAY,
    {"lookback_hours": 48},
    EVENT,
    {"detail": DAY},
    EVENT | {"detail": DAY | {"action": "start"}},
]
# There is no such run here: also what is right ends with words.
REPLAYS: list[Any] = [{"replay": "20240115T020000123Z"}, EVENT | {"detail": {"replay": "20240115T020000123Z"}}]
FIELDS = r"^(the input|unknown field|detail|time|start|end|lookback_hours|replay|the window)\b"
REMEDY = r"must be|allowed|write|needs|give|choose|send|examples|run its window again|can't be combined"
WORKER_FIELDS = r"\b(action|run|work|segments)\b"
SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def planned(given: Any) -> bool:
    """Whether an input gives a window; if not, it's refused in words."""
    with FakePipeline([]).deployed():
        try:
            answer = extract.handler(plan_event(given), Context())
        except InputError as error:
            check_message(error, FIELDS)
            check_message(error, REMEDY)
            return False
    start, end = answer["run"]["start"], answer["run"]["end"]
    assert SECOND.fullmatch(start)
    assert SECOND.fullmatch(end)
    assert datetime.fromisoformat(start) < datetime.fromisoformat(end) <= STARTED_AT
    return True


@pytest.mark.parametrize("given", INPUTS)
def test_what_the_cases_start_from_is_understood(given: Any) -> None:
    assert planned(given)


def test_an_input_of_any_shape_gives_a_window_or_an_error_that_names_the_field() -> None:
    outcomes = repeated("input", 700, lambda random: planned(odd(random)))

    assert not all(outcomes)


def test_an_input_that_is_nearly_right_gives_a_window_or_an_error_that_names_the_field() -> None:
    outcomes = repeated("near", 1200, lambda random: planned(changed(random, random.choice(INPUTS + REPLAYS))))

    assert set(outcomes) == {True, False}


def test_an_input_that_is_wrong_in_several_places_is_refused_in_words_too() -> None:
    def case(random: Random) -> bool:
        given = random.choice(INPUTS + REPLAYS)
        for _ in range(random.randrange(2, 6)):
            given = changed(random, given)
        return planned(given)

    repeated("worse", 700, case)


@pytest.mark.parametrize("levels", [100, 900, 20_000])
@pytest.mark.parametrize("place", ["input", "detail", "start", "lookback_hours", "time"])
def test_an_input_nested_to_any_depth_is_refused_in_words(levels: int, place: str) -> None:
    value: Any = "x"
    for _ in range(levels):
        value = [value]

    assert not planned(value if place == "input" else EVENT | {"detail": DAY} | {place: value})


def test_a_number_of_any_length_is_refused_in_words() -> None:
    assert not planned({"lookback_hours": 10**10_000})


def test_thousands_of_unknown_fields_are_not_all_named() -> None:
    event = plan_event({f"field {n}": n for n in range(10_000)})

    with (
        FakePipeline([]).deployed(),
        pytest.raises(InputError, match=r"unknown field .* and 9,995 more: allowed are") as raised,
    ):
        extract.handler(event, Context())

    check_message(raised.value, "unknown field")


# Workers' events, which the workflow makes.

RUN = msgspec.to_builtins(run(segments=2))
WORKER: dict[str, Any] = {
    "run": RUN,
    "work": {"segment": 1, "cursor": {"part": 0, "offset": 2}, "counts": [4, 4, 4, 1]},
    "segments": [{"segment": 0, "counts": [1, 1]}, {"segment": 1}],
}


def read(random: Random) -> None:
    event = {name: changed(random, part) for name, part in WORKER.items()}
    for reader in (run_of, work_of, segments_of):
        try:
            reader(event)
        except (ConfigurationError, BalanceError) as error:
            check_message(error, r"\b(run|work|segments)\b")


def test_a_workers_event_is_read_or_refused_by_name() -> None:
    repeated("worker", 1500, read)


@pytest.mark.parametrize("name", ["run", "work", "segments"])
def test_a_part_that_a_workers_event_lacks_is_named(name: str) -> None:
    event = {part: value for part, value in WORKER.items() if part != name}

    with pytest.raises(ConfigurationError, match=f"{name} is missing in the event; the workflow makes it"):
        {"run": run_of, "work": work_of, "segments": segments_of}[name](event)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("run", {**RUN, "segments": 0}, "run.segments must be a whole number from 1 to 1000000, got 0"),
        ("run", {**RUN, "segments": "2"}, "Expected `int`, got `str` - at `run.segments`"),
        ("run", "run", "Expected `object`, got `str` - at `run`"),
        ("work", {"segment": -1}, "work.segment must be a whole number >= 0, got -1"),
        ("work", {"segment": True}, "Expected `int`, got `bool` - at `work.segment`"),
        ("work", {"segment": 0, "counts": [1, -1]}, r"work.counts must be at most \d+ whole numbers >= 0, got \[1, -1"),
        ("work", {"segment": 0, "counts": [0] * 99}, "work.counts must be at most"),
        ("work", {"segment": 0, "cursor": "x"}, "Expected `object | null`, got `str` - at `work.cursor`"),
        ("segments", {}, "Expected `array`, got `object` - at `segments`"),
        ("segments", [{"segment": -1}], "segments.segment must be a whole number >= 0"),
    ],
)
def test_what_is_wrong_with_a_workers_event_is_said(part: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words.replace("object | null", r"object \| null")):
        {"run": run_of, "work": work_of, "segments": segments_of}[part](WORKER | {part: value})


HANDLERS: dict[str, Any] = {"transform": transform.handler, "gate": transform.handler, "load": load.handler}


def worked(random: Random) -> None:
    """Let a worker have an event that is wrong in one place: it works, or says which."""
    action = random.choice(list(HANDLERS))
    event: Any = {"action": action, "run": msgspec.to_builtins(run()), "segments": [{"segment": 0, "counts": [1, 1]}]}
    event["work"] = {"segment": 0, "counts": [1, 1, 1, 1, 1] + [0] * 10}
    if random.random() < 0.5:
        event["work"]["cursor"] = random.choice([{"part": 0, "offset": 2}, {"key": {"id": {"S": SECRET}}}])
    part = random.choice(["run", "work", "segments", "action"])
    event[part] = changed(random, event[part])
    with FakePipeline([]).deployed() as pipeline:
        for stage in ("extract", "transform"):
            hold(pipeline.s3, f"{stage}/{run().id}/data.json", array([item(1)]))
        try:
            HANDLERS[action](event, Context())
        except (ConfigurationError, StagingError, BalanceError) as error:
            check_message(error, rf"{WORKER_FIELDS}|s3://staging/")


def test_a_worker_with_a_wrong_event_works_or_says_what_is_wrong() -> None:
    repeated("work", 400, worked)


@pytest.mark.parametrize("event", [None, [], "extract", 1, {"action": None}, {"action": ["extract"]}, {"action": {}}])
@pytest.mark.parametrize("handler", [extract.handler, transform.handler, load.handler])
def test_what_is_no_event_at_all_is_a_configuration_error(handler: Any, event: Any) -> None:
    with pytest.raises(ConfigurationError, match="action must be one of"):
        handler(event, Context())


@pytest.mark.parametrize("event", [{"run": "text"}, {"work": [1]}, {"run": None, "work": 5}])
def test_a_part_that_is_no_object_is_refused_and_logged(event: dict[str, Any]) -> None:
    with FakePipeline([]).deployed(), pytest.raises(ConfigurationError, match="run"):
        transform.handler({"action": "transform"} | event, Context())


@pytest.mark.parametrize(
    "cursor",
    [
        {"key": {"id": {"S": SECRET}}},
        {"part": 0},
        {"part": -1, "offset": 0},
        {"part": 0, "offset": -2},
        {"part": "0", "offset": 0},
        {"part": True, "offset": 2},
        {"part": 0, "offset": None},
    ],
)
def test_a_cursor_that_no_stage_returns_is_refused(cursor: dict[str, Any]) -> None:
    event = {"action": "transform", "run": msgspec.to_builtins(run())}
    event["work"] = {"segment": 0, "cursor": cursor, "counts": [1, 1, 1, 1]}

    with FakePipeline([]).deployed(), pytest.raises(ConfigurationError, match=r"work\.cursor must be like") as raised:
        transform.handler(event, Context())

    check_message(raised.value, "whole numbers >= 0")
