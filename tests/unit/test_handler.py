import json
import logging
import time
from typing import Any

import msgspec
import pytest
from botocore.exceptions import EndpointConnectionError

from etl.handler import run_action, run_of, segments_of, work_of
from etl.invocation import metrics
from etl.model.errors import (
    BalanceError,
    ConfigurationError,
    EtlError,
    InputError,
    QualityGateError,
    StagingError,
    TransientError,
    UnexpectedError,
)
from etl.model.run import Work
from tests.fakes.faults import client_error
from tests.fakes.pipeline import Context
from tests.fakes.xray import daemon
from tests.unit.builders import run, work

EVENT = {
    "action": "extract",
    "run": msgspec.to_builtins(run(segments=4)),
    "work": {"segment": 3, "counts": [10, 4]},
}
GATE = {"action": "gate", "run": EVENT["run"], "segments": [{"segment": number} for number in range(4)]}
TRACE = "Root=1-581cf771-a006649127e371903a2de979;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)


def acted(action: Any, event: dict[str, Any] | None = None) -> Any:
    event = event or EVENT
    return run_action(event, Context(), {event["action"]: action})


def done(*_: Any) -> Any:
    return work(segment=3)


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
def test_an_unknown_action_is_a_configuration_error(event: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="action must be one of plan, extract, got"):
        run_action(event, Context(), {"plan": raising(ValueError()), "extract": raising(ValueError())})


def test_a_wrong_log_level_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(ConfigurationError, match=r"LOG_LEVEL must be one of DEBUG.*got 'LOUD'"):
        acted(done)


def test_what_was_done_is_logged_as_facts(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: work(segment=3, read=5))
    (line,) = lines(capsys)

    assert line["duration_ms"] >= 0
    facts = ("level", "message", "action", "run", "execution", "segment", "counts", "done", "Stage")
    assert {name: line[name] for name in facts} == {
        "level": "INFO",
        "message": "finished",
        "action": "extract",
        "run": "20240116T020000123Z",
        "execution": "execution",
        "segment": 3,
        "counts": {"read": 5},
        "done": True,
        "Stage": "Extract",
    }
    assert not [name for name in line if name not in (*facts, "time", "duration_ms", "_aws", *metrics.UNITS)]


def test_plan_is_logged_with_the_run_that_it_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: {"run": run(), "segments": []}, {"action": "plan", "input": {}, "execution": {"id": "arn:a:7"}})
    (line,) = lines(capsys)

    assert (line["action"], line["run"], line["execution"]) == ("plan", "20240116T020000123Z", "7")
    assert (line["segment"], line["done"]) == (None, True)


def test_a_plan_that_fails_is_logged_with_its_execution(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError):
        acted(raising(InputError("no")), {"action": "plan", "input": {}, "execution": {"id": "arn:a:7"}})
    (line,) = lines(capsys)

    assert (line["run"], line["execution"], line["error"]) == (None, "7", "InputError")


def test_an_empty_event_is_logged_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError):
        acted(lambda event, _: work_of(event), {"action": "extract"})
    (line,) = lines(capsys)

    assert [line[name] for name in ("run", "execution", "segment")] == [None] * 3


def test_a_failure_is_logged_with_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StagingError):
        acted(raising(StagingError("it is missing")))
    (line,) = lines(capsys)

    assert (line["level"], line["message"], line["action"], line["segment"]) == ("ERROR", "failed", "extract", 3)
    assert line["error"] == "StagingError"
    assert line["traceback"].endswith("StagingError: it is missing")


@pytest.mark.parametrize("error", [InputError("a"), StagingError("b"), TransientError("c")])
def test_an_error_of_the_pipeline_is_raised_as_it_is(error: EtlError) -> None:
    with pytest.raises(EtlError) as raised:
        acted(raising(error))

    assert raised.value is error
    # The frames of the action would fill the execution's cause.
    assert raised.traceback[-1].name == "run_action"


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
def test_an_error_of_aws_becomes_an_error_of_the_pipeline(error: Exception, name: str) -> None:
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


def test_an_unforeseen_error_shows_its_place_without_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UnexpectedError, match=r"^ZeroDivisionError in test_handler\.py, line \d+: ") as error:
        acted(raising(ZeroDivisionError("canary")))

    (line,) = lines(capsys)
    assert line["error"] == "ZeroDivisionError"
    assert line["traceback"].endswith("\nZeroDivisionError")
    assert "canary" not in f"{line}{error.value}"


def test_the_line_of_an_invocation_is_written_at_every_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    acted(done)
    with pytest.raises(UnexpectedError):
        acted(raising(ZeroDivisionError("why")))

    assert [line["message"] for line in lines(capsys)] == ["finished", "failed"]
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
        ([{"segment": 0}, None, {"segment": 2}], r"3 segments and the workflow passed on 2, without \[1\]"),
        ([{"segment": 0}, {"segment": 1}], r"3 segments and the workflow passed on 2, without \[2\]"),
        ([None, None, None], r"3 segments and the workflow passed on 0, without \[0, 1, 2\]"),
        ([{"segment": 0}, {"segment": 1}, {"segment": 1}], r"3 segments and the workflow passed on 3, without \[2\]"),
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


def measured(line: dict[str, Any]) -> dict[str, float]:
    """The values of the metrics that CloudWatch finds in a line."""
    directives = line["_aws"]["CloudWatchMetrics"]
    return {each["Name"]: line[each["Name"]] for directive in directives for each in directive["Metrics"]}


def test_a_worker_measures_its_own_additions(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: work(segment=3, scanned=25, read=5, extract_bytes=700))
    (line,) = lines(capsys)

    found = measured(line)
    assert (found["ItemsScanned"], found["ItemsRead"], found["BytesStaged"], found["Retries"]) == (15, 1, 700, 0)
    assert found["MemoryUsed"] > 5
    assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60


def test_a_repeated_invocation_counts_as_a_retry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    again = EVENT | {"retry": 2}
    acted(done, again)
    with pytest.raises(TransientError):
        acted(raising(TransientError("later")), again)

    assert [measured(line)["Retries"] for line in lines(capsys)] == [1, 1]


def test_an_invocation_that_fails_has_added_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TransientError):
        acted(raising(TransientError("later")))
    (line,) = lines(capsys)

    assert measured(line).keys() == {"Retries", "NearLimit", "Duration", "MemoryUsed"}


@pytest.mark.parametrize(("memory_mb", "near"), [("100000", 0), ("5", 1), (None, 0)])
def test_memory_is_held_against_that_of_the_function(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], memory_mb: str | None, near: int
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
    if memory_mb:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb)
    acted(done)
    (line,) = lines(capsys)

    assert measured(line)["NearLimit"] == near


def rejecting(rejected: int, read: int) -> list[dict[str, Any]]:
    """Four segments that have read and rejected so many items together."""
    first = msgspec.to_builtins(work(segment=0, read=read, rejected_transform=rejected))
    return [first, *GATE["segments"][1:]]


def test_gate_measures_the_share_of_rejected_items(capsys: pytest.CaptureFixture[str]) -> None:
    acted(lambda *_: {"gate": {}}, GATE | {"segments": rejecting(1, 8)})
    (line,) = lines(capsys)

    assert measured(line)["RejectedShare"] == 12.5


def test_a_gate_that_stops_a_run_measures_why(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(QualityGateError):
        acted(raising(QualityGateError("too many")), GATE | {"segments": rejecting(3, 4)})
    (line,) = lines(capsys)

    assert measured(line)["RejectedShare"] == 75


def test_finish_measures_the_share_of_the_records(capsys: pytest.CaptureFixture[str]) -> None:
    first = msgspec.to_builtins(work(segment=0, loaded=4, rejected_load=1))
    event = GATE | {"action": "finish", "segments": [first, *GATE["segments"][1:]], "gate": {"counts": {"records": 5}}}
    acted(lambda *_: {"counts": {"loaded": 4}}, event)
    (line,) = lines(capsys)

    assert measured(line)["RejectedShare"] == 20
    assert line["counts"] == {"loaded": 4}


def test_a_replay_may_reject_any_share_and_measures_none(capsys: pytest.CaptureFixture[str]) -> None:
    replay = EVENT["run"] | {"replay": {"run": "20240116T020000000Z", "execution": "arn:a:6"}}
    acted(lambda *_: {"gate": {}}, GATE | {"run": replay, "segments": rejecting(1, 1)})
    (line,) = lines(capsys)

    assert "RejectedShare" not in measured(line)


def test_a_line_and_its_trace_name_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with daemon() as received:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", TRACE)
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", received.address)
        acted(done)
        with pytest.raises(StagingError):
            acted(raising(StagingError("it is missing")))
        succeeded, failed = received(), received()

    assert {line["trace"] for line in lines(capsys)} == {"1-581cf771-a006649127e371903a2de979"}
    assert succeeded["trace_id"] == "1-581cf771-a006649127e371903a2de979"
    assert succeeded["name"] == "extract"
    assert succeeded["start_time"] <= succeeded["end_time"]
    assert succeeded["annotations"] == {"run": "20240116T020000123Z", "execution": "execution"}
    assert failed["annotations"] == succeeded["annotations"] | {"error": "StagingError"}
