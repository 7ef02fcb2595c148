"""Environment variables that no stack sets: each is parsed, or refused by name with what is allowed."""

import dataclasses
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from etl import extract
from etl.model.errors import ConfigurationError
from etl.settings import ExtractSettings, LoadSettings, TransformSettings
from tests.fakes.pipeline import ENVIRONMENT, Context, FakePipeline, plan_event
from tests.unit.hostile import ODD, check_message, repeated

SETTINGS: list[Any] = [ExtractSettings, TransformSettings, LoadSettings]
TEXTS = [
    *(
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "1_000",
        " 7 ",
        "٣",
        "٣٤",
        "0x10",
        "NaN",
        "sNaN",
        "Infinity",
        "-0",
        "007",
        "true",
    ),
    *("9" * 15, "9" * 16, "9" * 4000, "9" * 5000, "1" + "0" * 400, "1E+9", "1E-999999999", "1E+99999999999999999999"),
    *("None", "null", "[]", "{}", "5%", "\x00", "\n", "\u2028", "\ud800", "x" * 10_000, "100.0", "99.99", "1e2"),
]
ALLOWED = r"must be a (whole )?number of .* from 0|must be a whole number of .* from 1|missing or empty"


def parsed(environment: dict[str, str], names: str) -> bool:
    fine = True
    for kind in SETTINGS:
        try:
            settings = kind.from_env(environment)
        except ConfigurationError as error:
            check_message(error, names, 250)
            check_message(error, ALLOWED, 250)
            fine = False
        else:
            for value in dataclasses.asdict(settings).values():
                assert isinstance(value, str) or 0 <= value <= 10**15
                assert not isinstance(value, Decimal) or value <= 100
    return fine


def text(random: Random) -> str:
    if random.random() < 0.5:
        return random.choice(TEXTS)
    if random.random() < 0.3:
        return str(random.choice(ODD[:-8]))[:4000]
    return "".join(random.choices("0123456789.eE+-_ \x00٣NaInf", k=random.randrange(12)))


def test_a_variable_of_any_text_is_parsed_or_refused_by_name() -> None:
    def case(random: Random) -> bool:
        name = random.choice(list(ENVIRONMENT))
        return parsed(ENVIRONMENT | {name: text(random)}, rf"\b{name}\b")

    assert set(repeated("variable", 1500, case)) == {True, False}


def test_variables_that_are_all_of_any_text_are_refused_by_name() -> None:
    repeated("all", 300, lambda random: parsed({name: text(random) for name in ENVIRONMENT}, "|".join(ENVIRONMENT)))


@pytest.mark.parametrize(
    "name",
    [
        "LOOKBACK_HOURS",
        "CATCH_UP_DAYS",
        "EVENT_WINDOW_DAYS",
        "LATENESS_MINUTES",
        "CONCURRENCY",
        "SEGMENT_BYTES",
        "PART_BYTES",
    ],
)
@pytest.mark.parametrize("value", ["1", "999", "878400", "52704000", "1" + "0" * 15, "9" * 15, "9" * 5000])
def test_a_number_that_settings_allow_is_one_that_a_run_can_use(name: str, value: str) -> None:
    execution = {"id": "arn", "started_at": "2024-01-16T02:00:00.123Z"}
    with FakePipeline([]).deployed({name: value}):
        try:
            answer = extract.handler(plan_event({}, execution), Context())
        except ConfigurationError as error:
            check_message(error, rf"^{name} must be a whole number of \w+ from [01] to [0-9]+, got ", 250)
        else:
            assert answer["run"]["start"] < answer["run"]["end"]
