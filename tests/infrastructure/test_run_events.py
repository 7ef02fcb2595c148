"""The events at the end of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonata import Jsonata  # type: ignore[import-untyped]

from etl.model.errors import NAMES, Reason
from etl.model.remedies import REMEDIES, UNFORESEEN
from serverless_app.constructs.run_events import MOST_CAUSE, REASON_TEXTS, REMEDY_TEXTS
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


def told(states: dict[str, Any], name: str, error: str, cause: str) -> dict[str, Any]:
    """The detail of a failure's event, by the evaluator of the local environment."""
    expression = Jsonata(entry(states[name])["Detail"].removeprefix("{%").removesuffix("%}"))
    expression.register_lambda("parse", json.loads)  # a function of Step Functions alone
    expression.assign("states", {"input": {"end": {"error": error, "cause": cause, "stage": "Plan"}}})
    detail: dict[str, Any] = expression.evaluate(None)
    return detail


def of_function(message: str) -> str:
    """The cause of a function's error."""
    return json.dumps({"errorMessage": message, "errorType": "x", "stackTrace": ['  File "x" [a]\n']})


def text_of(key: str) -> str:
    """The beginning of a remedy, up to the words about starting again."""
    return REMEDIES[key].text.partition("{again}")[0]


FAILING = ["AnnounceFailure", "Announce"]


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("reason", Reason)
def test_a_reason_has_its_own_remedy(states: dict[str, Any], name: str, reason: Reason) -> None:
    message = f"read [this] first [{reason}]"
    detail = told(states, name, "ConfigurationError", of_function(message))

    assert (detail["cause"], detail["stage"]) == (message, "Plan")
    assert detail["remedy"].startswith(text_of(reason))
    assert "{" not in detail["remedy"]


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("error", sorted(NAMES | {"States.Timeout", "TIMED_OUT", "ABORTED", "Runtime.OutOfMemory"}))
def test_every_named_error_has_a_remedy(states: dict[str, Any], name: str, error: str) -> None:
    remedy = told(states, name, error, of_function("it failed"))["remedy"]

    assert remedy.startswith(text_of(error))
    assert "{" not in remedy


@pytest.mark.parametrize(
    ("error", "cause", "key"),
    [
        ("ConfigurationError", "not at the end [refused].", "ConfigurationError"),
        ("ConfigurationError", "no reason [else]", "ConfigurationError"),
        ("ConfigurationError", "a status [ABORTED]", "ConfigurationError"),
        ("ConfigurationError", "refused]", "ConfigurationError"),
        ("ConfigurationError", "", "ConfigurationError"),
        ("Lambda.TooManyRequestsException", of_function("like ours [refused]"), "Lambda.TooManyRequestsException"),
        ("Lambda.EC2ThrottledException", "throttled", "Lambda."),
        ("States.Runtime", "no such path", "States."),
        ("ConfigurationError", of_function("is cut off [refused]")[:-1], "ConfigurationError"),
    ],
)
def test_other_texts_have_the_remedy_of_the_error(states: dict[str, Any], error: str, cause: str, key: str) -> None:
    assert told(states, "AnnounceFailure", error, cause)["remedy"].startswith(text_of(key))


def test_an_unknown_error_has_the_general_remedy(states: dict[str, Any]) -> None:
    remedy = told(states, "AnnounceFailure", "KeyError", of_function("like ours [refused]"))["remedy"]

    assert remedy.startswith(UNFORESEEN.text.partition("{again}")[0])


@pytest.mark.parametrize("error", ["Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError"])
def test_an_event_names_your_file_if_code_cant_be_loaded(states: dict[str, Any], error: str) -> None:
    assert "transformation.py" in told(states, "Announce", error, of_function("no module"))["remedy"]


def test_the_reason_is_found_behind_the_longest_cause(states: dict[str, Any]) -> None:
    detail = told(states, "Announce", "ConfigurationError", of_function("é" * MOST_CAUSE + " [key-denied]"))

    assert detail["remedy"].startswith(text_of(Reason.KEY_DENIED))
    assert len(detail["cause"]) == MOST_CAUSE


def test_an_event_is_far_below_the_limit_of_eventbridge() -> None:
    # JSON writes at most six bytes for a character: \\u0000.
    longest = max(map(len, [*REASON_TEXTS.values(), *REMEDY_TEXTS.values()]))
    assert 6 * (MOST_CAUSE + longest) < 256 * 1024 / 4


def test_the_definitions_are_far_below_the_limit_of_step_functions(states: dict[str, Any]) -> None:
    # Source: Step Functions Developer Guide, "Service quotas": a definition has at most 1 MB.
    assert len(json.dumps(states)) < 1024**2 / 8
