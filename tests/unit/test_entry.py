import json
import logging
from typing import Any

import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError

from etl.entry import run_action, run_of, segments_of, work_of
from etl.errors import (
    BalanceError,
    ConfigurationError,
    EtlError,
    InputError,
    StagingError,
    TransientError,
)
from etl.run import Work
from tests.unit.builders import run, work
from tests.unit.fakes.faults import client_error
from tests.unit.pipeline import Context

EVENT = {
    "action": "extract",
    "run": {"timestamp": "20240116T020000123Z"},
    "work": {"segment": 3, "counts": {}},
}


def acted(action: Any, event: dict[str, Any] | None = None) -> Any:
    return run_action(event or EVENT, Context(), {"plan": action, "extract": action})


def raising(error: Exception) -> Any:
    def action(*_: Any) -> Any:
        raise error

    return action


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_named_action_runs_with_the_event_and_the_deadline() -> None:
    def action(event: Any, deadline: Any) -> Any:
        return {"action": event["action"], "remaining": deadline.remaining_ms()}

    assert acted(action) == {"action": "extract", "remaining": 300_000}


def test_a_work_is_answered_as_json() -> None:
    answer = acted(lambda *_: work(segment=3, read=5))

    assert json.loads(json.dumps(answer)) == {"segment": 3, "counts": [0, 5]}


@pytest.mark.parametrize("event", [{}, {"action": "transform"}])
def test_an_action_that_the_function_does_not_have_is_a_configuration_error(event: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="action must be one of plan, extract, got"):
        run_action(event, Context(), {"plan": raising(ValueError()), "extract": raising(ValueError())})


def test_a_wrong_log_level_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(ConfigurationError, match="LOG_LEVEL"):
        acted(lambda *_: {})


def test_what_was_done_is_logged_as_facts(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: work(segment=3, read=5))
    (line,) = lines(capsys)

    assert line["duration_ms"] >= 0
    assert {name: value for name, value in line.items() if name not in ("time", "duration_ms")} == {
        "level": "INFO",
        "message": "finished",
        "action": "extract",
        "run": "20240116T020000123Z",
        "segment": 3,
        "counts": {"read": 5},
        "done": True,
    }


def test_an_action_without_run_and_work_is_logged_too(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: {"run": {}}, {"action": "plan", "input": {}})
    (line,) = lines(capsys)

    assert (line["action"], line["run"], line["segment"], line["done"]) == ("plan", None, None, True)


def test_a_failure_is_logged_with_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StagingError):
        acted(raising(StagingError("it is missing")))
    (line,) = lines(capsys)

    assert (line["level"], line["message"], line["action"], line["segment"]) == ("ERROR", "failed", "extract", 3)
    assert line["traceback"].endswith("StagingError: it is missing")


@pytest.mark.parametrize("error", [InputError("a"), StagingError("b"), TransientError("c")])
def test_an_error_of_the_pipelines_own_keeps_its_class_and_its_message(error: EtlError) -> None:
    with pytest.raises(EtlError) as raised:
        acted(raising(error))

    assert raised.value is error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (client_error("AccessDenied", 403), "ConfigurationError"),
        (client_error("AccessDeniedException"), "ConfigurationError"),
        (client_error("ResourceNotFoundException"), "ConfigurationError"),
        (client_error("NoSuchBucket", 404), "ConfigurationError"),
        (client_error("ThrottlingException"), "TransientError"),
        (client_error("SlowDown", 503), "TransientError"),
        (client_error("InternalServerError", 500), "TransientError"),
        (EndpointConnectionError(endpoint_url="x"), "TransientError"),
    ],
)
def test_an_error_of_aws_becomes_the_class_that_the_workflow_knows(error: Exception, name: str) -> None:
    with pytest.raises(EtlError) as raised:
        acted(raising(error))

    assert type(raised.value).__name__ == name


def test_an_error_of_aws_names_the_table_and_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_BUCKET", "etl-staging")
    monkeypatch.setenv("DESTINATION_TABLE", "etl-destination-data")

    with pytest.raises(ConfigurationError, match=r"\(this function uses etl-destination-data and etl-staging\)"):
        acted(raising(client_error("AccessDenied", 403)))


def test_the_cause_of_a_failure_is_its_message_alone() -> None:
    with pytest.raises(ConfigurationError) as raised:
        acted(raising(client_error("AccessDenied", 403)))

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_an_error_that_nobody_foresaw_is_logged_and_raised_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        acted(raising(ZeroDivisionError("why")))

    assert lines(capsys)[0]["traceback"].endswith("ZeroDivisionError: why")


def test_the_levels_below_the_set_one_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    acted(lambda *_: {})

    assert lines(capsys) == []
    assert logging.getLogger("etl").level == logging.ERROR


def test_a_workers_event_carries_run_work_and_segments() -> None:
    event = {
        "run": {
            "timestamp": "20240116T020000123Z",
            "start": "2024-01-15T00:00:00Z",
            "end": "2024-01-16T00:00:00Z",
            "time": "2024-01-16T02:00:00.123Z",
            "execution": "arn:execution",
            "segments": 1,
        },
        "work": {"segment": 0},
        "segments": [{"segment": 0, "counts": [0, 1]}],
    }

    assert run_of(event) == run()
    assert work_of(event) == Work(segment=0)
    assert segments_of(event) == [work(read=1)]


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([{"segment": 0}, None, {"segment": 2}], r"3 segments and the workflow brought 2, without \[1\]"),
        ([{"segment": 0}, {"segment": 1}], r"3 segments and the workflow brought 2, without \[2\]"),
        ([None, None, None], r"3 segments and the workflow brought 0, without \[0, 1, 2\]"),
        ([{"segment": 0}, {"segment": 1}, {"segment": 1}], r"3 segments and the workflow brought 3, without \[2\]"),
    ],
)
def test_a_segment_that_the_workflow_lost_is_missed(segments: list[Any], words: str) -> None:
    event = {"run": msgspec.to_builtins(run(segments=3)), "segments": segments}

    with pytest.raises(BalanceError, match=words):
        segments_of(event)


def test_segments_may_come_in_any_order() -> None:
    event = {"run": msgspec.to_builtins(run(segments=2)), "segments": [{"segment": 1}, {"segment": 0}]}

    assert [work.segment for work in segments_of(event)] == [1, 0]


def test_a_worker_that_ran_out_of_time_is_logged_as_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: work(cursor={"part": 0, "offset": 7}))
    (line,) = lines(capsys)

    assert (line["done"], line["counts"]) == (False, {})
