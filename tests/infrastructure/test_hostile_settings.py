"""Context values that nobody would set: each is a setting that is allowed, or a SettingsError that names it."""

from __future__ import annotations

from dataclasses import fields
from random import Random
from typing import Any

import pytest

from serverless_app.settings import PipelineSettings, SettingsError
from tests.unit.hostile import check_message, odd, repeated

NAMES = [knob.name for knob in fields(PipelineSettings)]
TEXTS = [
    *(
        "",
        " ",
        "24",
        " 24 ",
        "-1",
        "1.5",
        "1e3",
        "1_000",
        "٣",
        "NaN",
        "inf",
        "-inf",
        "9" * 5000,
        "true",
        "True",
        "false",
    ),
    *("rate(1 day)", "rate(1 days)", "rate(0 minutes)", "cron(0 2 * * ? *)", "cron(0 2 * * * *)", "cron(" + "*" * 9999),
    *(
        "destroy",
        "DESTROY",
        "retain ",
        "x86_64",
        "arm64",
        "INFO",
        "info",
        "host",
        "a@b.c",
        "a@b",
        "@" * 10_000,
        "a" * 10_000,
    ),
    *(
        "cron(0-99999999999 2 * * ? *)",
        "cron(1,2/3-4#5L 2 W ? * 9)",
        "\x00",
        "\ud800",
        "None",
        "null",
        "{}",
        "[]",
        "5",
        "100",
    ),
]


class Context:
    """A construct's node that has a context and nothing else."""

    def __init__(self, context: dict[str, Any]) -> None:
        self._context = context

    def get_all_context(self) -> dict[str, Any]:
        return self._context


def made(context: dict[str, Any], names: str) -> bool:
    try:
        settings = PipelineSettings.from_context(Context(context))  # type: ignore[arg-type]
    except SettingsError as error:
        check_message(error, names, 800)
        check_message(error, r"must be [^\x00]*, got |There is no setting [^\x00]* The settings are", 800)
        return False
    for knob in fields(PipelineSettings):
        assert knob.metadata["rule"].accepts(getattr(settings, knob.name))
    return True


def value(random: Random) -> Any:
    return random.choice(TEXTS) if random.random() < 0.6 else odd(random)


def test_a_context_value_of_any_type_is_a_setting_or_refused_by_name() -> None:
    def case(random: Random) -> bool:
        name = random.choice(NAMES)
        return made({f"etl:{name}": value(random)}, rf"^{name} must be")

    assert set(repeated("context", 2500, case)) == {True, False}


def test_context_values_that_are_all_odd_are_refused_by_name() -> None:
    repeated("all", 300, lambda random: made({f"etl:{name}": value(random) for name in NAMES}, "must be"))


@pytest.mark.parametrize("name", ["", " ", "lookback_hour", "LOOKBACK_HOURS", "x" * 100_000, "\ud800", "etl:schedule"])
def test_a_name_of_no_setting_is_refused_with_those_that_there_are(name: str) -> None:
    assert not made({f"etl:{name}": 1}, "There is no setting")


@pytest.mark.parametrize("given", [10**5000, -(10**5000), {"a": [10**5000]}], ids=["large", "small", "within"])
@pytest.mark.parametrize("name", NAMES)
def test_a_number_of_any_length_is_refused_in_words(name: str, given: Any) -> None:
    assert not made({f"etl:{name}": given}, rf"^{name} must be .* too large to show")
