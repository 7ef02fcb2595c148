"""The events at the end of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infrastructure.synthesis import Synthesized
from tests.infrastructure.test_run_ledger import recorder

ANNOUNCING = {
    "AnnounceSuccess": "ETL Pipeline Run Succeeded",
    "AnnounceFailure": "ETL Pipeline Run Failed",
    "Announce": "ETL Pipeline Run Failed",
}


@pytest.fixture(params=["stack", "distributed_stack"])
def states(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The states of the workflow and of the recorder."""
    stack: Synthesized = request.getfixturevalue(request.param)
    return {**stack.definition["States"], **recorder(stack)["States"]}


def entry(state: dict[str, Any]) -> dict[str, str]:
    [found] = state["Arguments"]["Entries"]
    return dict(found)


@pytest.mark.parametrize(("name", "detail_type"), ANNOUNCING.items())
def test_an_end_is_told_by_step_functions_itself(states: dict[str, Any], name: str, detail_type: str) -> None:
    assert states[name]["Resource"] == "arn:aws:states:::events:putEvents"
    assert states[name]["Output"] == "{% $states.input %}"
    told = entry(states[name])
    # No bus is named: it is the default one.
    assert told.keys() == {"Source", "DetailType", "Detail"}
    assert (told["Source"], told["DetailType"]) == ("etl-pipeline", detail_type)


def test_exactly_these_states_tell(states: dict[str, Any]) -> None:
    assert {name for name, state in states.items() if state.get("Resource", "").endswith("putEvents")} == {*ANNOUNCING}


@pytest.mark.parametrize(("name", "end"), [("AnnounceSuccess", "Succeeded"), ("AnnounceFailure", "Failed")])
def test_a_run_ends_as_it_does_when_nobody_can_be_told(states: dict[str, Any], name: str, end: str) -> None:
    assert states[name]["Next"] == end
    assert states[name]["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": end, "Output": "{% $states.input %}"}]
    # Not for long: the state machine's time is the run's.
    [retry] = states[name]["Retry"]
    waits = [retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"])]
    assert sum(waits) < 10


def test_the_recorder_announces_its_record_or_fails(states: dict[str, Any]) -> None:
    assert states["Record"]["Next"] == "Announce"
    assert [caught["Next"] for caught in states["Record"]["Catch"]] == ["Known"]
    assert states["Known"]["Type"] == "Succeed"
    assert states["Announce"]["End"] is True
    assert "Catch" not in states["Announce"]


def test_every_named_error_has_a_remedy() -> None:
    from etl.model.errors import NAMES
    from serverless_app.constructs.run_events import REMEDY_OTHERWISE, REMEDY_TEXTS

    assert NAMES | {"States.Timeout", "TIMED_OUT", "ABORTED", "Runtime.OutOfMemory"} <= REMEDY_TEXTS.keys()
    assert not [text for text in [*REMEDY_TEXTS.values(), REMEDY_OTHERWISE] if "{" in text]


@pytest.mark.parametrize("error", ["Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError"])
def test_an_event_names_your_file_if_code_cant_be_loaded(error: str) -> None:
    from serverless_app.constructs.run_events import REMEDY_TEXTS

    assert "transformation.py" in REMEDY_TEXTS[error]


def test_the_remedy_is_looked_up_by_the_error(states: dict[str, Any]) -> None:
    from serverless_app.constructs.run_events import REMEDY_OTHERWISE, REMEDY_TEXTS

    for name in ("AnnounceFailure", "Announce"):
        detail = entry(states[name])["Detail"]
        table, _, rest = detail.partition("$lookup(")[2].partition(", $states.input.end.error)")
        assert json.loads(table) == REMEDY_TEXTS
        assert json.dumps(REMEDY_OTHERWISE) in rest


def test_an_event_is_far_below_the_limit_of_eventbridge() -> None:
    from serverless_app.constructs.run_events import MOST_CAUSE, REMEDY_TEXTS

    # JSON writes at most six bytes for a character: \\u0000.
    assert 6 * (MOST_CAUSE + max(map(len, REMEDY_TEXTS.values()))) < 256 * 1024 / 4
