"""Settings that nobody would write: each is parsed, or refused by name with the allowed values."""

import dataclasses
from random import Random
from typing import Any

import pytest

from etl import extract
from etl.model.errors import ConfigurationError
from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS
from etl.model.settings_sources import configured
from etl.settings import BY_FUNCTION
from tests.fakes.pipeline import ENVIRONMENT, NAMES, Context, FakePipeline, plan_event
from tests.support import ROOT
from tests.unit.hostile import ODD, check_message, odd, repeated

CONTEXT_TEXTS = [
    *(
        "rate(1 day)",
        "rate(0 weeks)",
        "cron(0 2 * * ? *)",
        "cron(0 2 * * *)",
        "cron(" + "*" * 9999,
        "destroy",
        "retain ",
    ),
    *("x86_64", "info", "host", "a@b.c", "a@b", "@" * 10_000, "cron(0-99999999999 2 * * ? *)", "pipelines/etl", ".."),
]
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
ALLOWED = r"must be (a |one of )|missing or empty"


def parsed(environment: dict[str, str], names: str) -> bool:
    fine = True
    for kind in BY_FUNCTION.values():
        try:
            settings = kind.from_env(environment)
        except ConfigurationError as error:
            check_message(error, names, 350)
            check_message(error, ALLOWED, 350)
            fine = False
        else:
            check(dataclasses.asdict(settings))
    return fine


def made(context: dict[str, Any], names: str) -> bool:
    try:
        check(configured(context, ROOT))
    except SettingsError as error:
        check_message(error, names, 900)
        return False
    return True


def check(values: dict[str, Any]) -> None:
    """Every value is one that a typed source may give; the stack has checked the names of tables."""
    for name in (values.keys() & SETTINGS.keys()) - NAMES.keys():
        SETTINGS[name].parse(values[name], strict=True)


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


def test_a_context_value_of_any_type_is_taken_or_refused() -> None:
    def case(random: Random) -> bool:
        name = random.choice(list(SETTINGS))
        value = random.choice(TEXTS + CONTEXT_TEXTS) if random.random() < 0.6 else odd(random)
        return made({f"etl:{name}": value}, rf"^{name} must be")

    assert set(repeated("context", 2500, case)) == {True, False}


@pytest.mark.parametrize("name", ["", " ", "lookback_hour", "LOOKBACK_HOURS", "x" * 100_000, "\ud800", "etl:schedule"])
def test_a_name_of_no_setting_is_refused(name: str) -> None:
    assert not made({f"etl:{name}": 1}, "There is no setting")


@pytest.mark.parametrize("given", [10**5000, -(10**5000), {"a": [10**5000]}], ids=["large", "small", "within"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_number_of_any_length_is_refused_in_words(name: str, given: Any) -> None:
    assert not made({f"etl:{name}": given}, rf"^{name} must be .* too large to show")


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
            check_message(error, rf"^{name} must be a whole number of \w+ from (0|1|1024) to [0-9]+", 250)
        else:
            assert answer["run"]["start"] < answer["run"]["end"]
