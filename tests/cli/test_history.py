"""An execution's history, read event by event."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from etl_cli.runs.history import Timeline, read_new
from tests.fakes.recording import Recording

START = datetime(2026, 11, 24, 20, tzinfo=UTC)


def read(recording: Recording, events: int | None = None) -> Timeline:
    timeline = Timeline()
    recording.stepfunctions.shown = len(recording.events) if events is None else events
    read_new(cast(Any, recording.stepfunctions), recording.execution, timeline)
    return timeline


def timeline_of(events: Iterable[tuple[float, dict[str, Any]]]) -> Timeline:
    """The timeline of events, each with its second."""
    timeline = Timeline()
    for number, (second, event) in enumerate(events, 1):
        timeline.apply(event | {"id": number, "timestamp": START + timedelta(seconds=second)})
    return timeline


def states(timeline: Timeline) -> str:
    """The stages as letters: w waiting, r running, s succeeded, f failed."""
    return "".join(stage.state[0] for stage in timeline.stages.values())


def test_stages_run_and_succeed_in_their_order() -> None:
    recording = Recording("succeeded")
    seen = [states(read(recording, events)) for events in range(len(recording.events) + 1)]

    assert [state for position, state in enumerate(seen) if state != seen[position - 1]] == [
        "wwwwww",
        "rwwwww",
        "swwwww",
        "srwwww",
        "sswwww",
        "ssrwww",
        "ssswww",
        "sssrww",
        "ssssww",
        "ssssrw",
        "sssssw",
        "sssssr",
        "ssssss",
    ]


def test_an_execution_that_succeeded_has_output_and_times() -> None:
    timeline = read(Recording("succeeded"))

    assert timeline.status == "SUCCEEDED"
    assert timeline.output["counts"]["loaded"] == 37
    assert timeline.run
    assert timeline.run.id == timeline.output["run"]
    assert timeline.seconds
    assert sum(stage.seconds or 0 for stage in timeline.stages.values()) <= timeline.seconds


def test_a_stage_has_the_counts_of_its_workers() -> None:
    timeline = read(Recording("succeeded"))

    assert timeline.stages["Extract"].counts["read"] == 38
    assert timeline.stages["Transform"].counts["rejected_transform"] == 1
    assert timeline.stages["Gate"].counts["records"] == 37
    assert timeline.stages["Load"].counts["loaded"] == 37


def test_busy_seconds_add_up_all_calls_with_failed_ones() -> None:
    happened = [
        (0, "MapStateEntered"),
        (1, "LambdaFunctionScheduled"),
        (2, "LambdaFunctionScheduled"),
        (5, "LambdaFunctionSucceeded"),
        (9, "LambdaFunctionFailed"),
        (20, "LambdaFunctionScheduled"),
        (21, "LambdaFunctionStartFailed"),
        (30, "TaskScheduled"),
        (33, "TaskTimedOut"),
    ]
    entered = {"stateEnteredEventDetails": {"name": "Extract"}}
    extract = timeline_of((second, {"type": kind} | entered) for second, kind in happened).stages["Extract"]

    assert extract.busy_seconds == (5 - 1) + (9 - 2) + 1 + 3
    assert (extract.invocations, extract.failed_invocations) == (1, 3)


@pytest.mark.parametrize("kind", ["LambdaFunctionFailed", "LambdaFunctionStartFailed", "TaskFailed"])
def test_a_start_that_lambda_throttled_is_no_invocation(kind: str) -> None:
    failed, key = {"error": "Lambda.TooManyRequestsException"}, f"{kind[0].lower()}{kind[1:]}EventDetails"
    happened: list[tuple[int, str, dict[str, Any]]] = [
        (0, "MapStateEntered", {"stateEnteredEventDetails": {"name": "Load"}}),
        *[(second, "LambdaFunctionScheduled", {}) for second in (1, 2, 30)],
        (31, kind, {key: failed}),
        (32, "LambdaFunctionSucceeded", {}),
        (33, kind, {key: failed | {"error": "TransientError"}}),
    ]
    load = timeline_of((second, {"type": name} | details) for second, name, details in happened).stages["Load"]

    assert (load.throttled_starts, load.invocations, load.failed_invocations) == (1, 1, 1)
    assert load.busy_seconds == 31 + 32 + 33 - (1 + 2 + 30)


def test_a_recorded_execution_was_busy_for_most_of_its_time() -> None:
    timeline = read(Recording("succeeded"))
    busy = sum(stage.busy_seconds for stage in timeline.stages.values())

    assert 0.9 * sum(stage.seconds or 0 for stage in timeline.stages.values()) <= busy <= (timeline.seconds or 0)


def test_events_are_taken_in_once_however_they_arrive() -> None:
    recording, timeline = Recording("succeeded"), Timeline()
    for shown in (3, 3, 10, len(recording.events)):
        recording.stepfunctions.shown = shown
        read_new(cast(Any, recording.stepfunctions), recording.execution, timeline)

    assert timeline == read(recording)
    assert timeline.stages["Plan"].invocations == 1


@pytest.mark.parametrize(
    ("name", "expected", "error"),
    [("failed_at_plan", "fwwwww", "InputError"), ("failed_at_gate", "sssfww", "QualityGateError")],
)
def test_a_caught_error_fails_the_stage_that_raised_it(name: str, expected: str, error: str) -> None:
    timeline = read(Recording(name))

    assert states(timeline) == expected
    assert timeline.status == "FAILED"
    assert timeline.error == error
    assert timeline.cause


def test_the_error_is_known_as_soon_as_its_stage_has_failed() -> None:
    recording = Recording("failed_at_plan")
    caught = next(number for number, event in enumerate(recording.events) if event["type"] == "TaskStateExited")

    assert read(recording, caught + 1).error == "InputError"


@pytest.mark.parametrize(("kind", "status"), [("ExecutionAborted", "ABORTED"), ("ExecutionTimedOut", "TIMED_OUT")])
def test_the_stage_in_which_an_execution_was_ended_has_failed(kind: str, status: str) -> None:
    timeline = read(Recording("succeeded"), events=7)
    timeline.apply({"id": 99, "type": kind, "timestamp": START})

    assert (states(timeline), timeline.status) == ("sfwwww", status)


def aws_events() -> list[dict[str, Any]]:
    """An Extract of two segments as AWS writes it: with iterations, inner states and Lambda's own events."""
    done = '{"segment": %d, "counts": [%d, %d]}'
    out_of_time = '{"segment": 0, "cursor": {"key": {"id": {"S": "item-0040"}}}, "counts": [50, 40]}'
    return [
        {"type": "MapStateEntered", "stateEnteredEventDetails": {"name": "Extract", "input": "{}"}},
        {"type": "MapStateStarted", "mapStateStartedEventDetails": {"length": 2}},
        {"type": "MapIterationStarted", "mapIterationStartedEventDetails": {"name": "Extract", "index": 0}},
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "ExtractSegment", "input": "{}"}},
        {"type": "LambdaFunctionFailed", "lambdaFunctionFailedEventDetails": {"error": "TransientError"}},
        {"type": "LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails": {"output": out_of_time}},
        {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "ExtractSegment", "output": "{}"}},
        {"type": "LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails": {"output": done % (1, 9, 7)}},
        {"type": "LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails": {"output": done % (0, 70, 60)}},
        {"type": "MapIterationSucceeded", "mapIterationSucceededEventDetails": {"name": "Extract", "index": 0}},
    ]


def test_workers_of_a_map_are_followed_on_aws_too() -> None:
    extract = timeline_of(enumerate(aws_events())).stages["Extract"]

    assert extract.state == "running"
    assert extract.counts == {"scanned": 79, "read": 67}
    assert extract.segments_done == 2
    assert extract.invocations == 3
    assert extract.failed_invocations == 1
    assert extract.counted_at == START + timedelta(seconds=8)


def test_describe_execution_overrules_the_history() -> None:
    recording = Recording("failed_at_gate")
    timeline = Timeline()
    timeline.close(recording.description)

    assert timeline.status == "FAILED"
    assert timeline.error == "QualityGateError"


def test_an_invalid_output_is_left_out() -> None:
    timeline = Timeline()
    for output in ('{"run": {"time', '["a"]'):
        timeline.apply(
            {
                "id": 1,
                "timestamp": START,
                "type": "TaskStateExited",
                "stateExitedEventDetails": {"name": "Plan", "output": output},
            }
        )

    assert timeline.run is None
    assert timeline.stages["Plan"].state == "succeeded"


def test_recording_a_failure_is_no_work_of_the_stage_that_failed() -> None:
    timeline = read(Recording("failed_at_gate"))

    assert "RecordFailure" in [
        event["stateEnteredEventDetails"]["name"]
        for event in Recording("failed_at_gate").events
        if event["type"] == "TaskStateEntered"
    ]
    gate = timeline.stages["Gate"]
    assert (gate.invocations, gate.failed_invocations) == (0, 1)


def test_states_that_are_no_stage_are_passed_over() -> None:
    recording = Recording("succeeded")
    *events, succeeded = recording.events
    started, *called = [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Announce", "input": "{}"}},
        {"type": "TaskScheduled", "taskScheduledEventDetails": {"resource": "putEvents"}},
        {"type": "TaskFailed", "taskFailedEventDetails": {"error": "Events.Throttled"}},
        {"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": '{"FailedEntryCount": 0}'}},
        {"type": "TaskStateExited", "stateExitedEventDetails": {"name": "Announce", "output": "{}"}},
    ]
    timeline = Timeline()
    for number, event in enumerate([*events, started, *called, succeeded]):
        timeline.apply({"timestamp": START} | event | {"id": number + 1})

    assert states(timeline) == "ssssss"
    assert timeline.stages == read(recording).stages
    assert timeline.output == read(recording).output


def test_a_stage_exits_when_it_fails_not_when_that_is_recorded() -> None:
    timeline = read(Recording("failed_at_gate"))
    exited_at = timeline.stages["Gate"].exited_at
    timeline.apply({"id": 99, "type": "FailStateEntered", "timestamp": START})

    assert timeline.stages["Gate"].exited_at == exited_at


def test_a_redriven_execution_goes_on_where_it_was_stopped() -> None:
    recording = Recording("succeeded")
    timeline = read(recording, events=7)
    timeline.apply({"id": 8, "type": "ExecutionTimedOut", "timestamp": START})
    timeline.apply({"id": 9, "type": "ExecutionRedriven", "timestamp": START + timedelta(hours=1)})

    assert (timeline.status, timeline.stopped, states(timeline)) == ("RUNNING", None, "srwwww")
    for number, event in enumerate(recording.events[7:]):
        timeline.apply(event | {"id": number + 10})
    assert (timeline.status, states(timeline)) == ("SUCCEEDED", "ssssss")
