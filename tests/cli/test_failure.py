"""An execution that did not succeed, explained."""

from __future__ import annotations

import io
import json

import pytest

from etl.model.errors import Reason
from etl.model.remedies import remedy_for
from etl.model.statuses import FAILED, STATUSES
from etl_cli.render.failure import print_failure
from etl_cli.render.run_document import failure_document
from etl_cli.runs.failure import Failure, explain
from etl_cli.runs.history import Timeline
from etl_cli.runs.progress import follow
from etl_cli.terminal.console import Terminal
from tests.fakes.recording import Recording


def failure_of(name: str) -> Failure:
    recording = Recording(name, step=100)
    (snapshot,) = follow(recording.deployment, recording.execution, 0)
    return explain(recording.deployment, recording.execution, snapshot.timeline)


def printed(failure: Failure, width: int = 80) -> list[str]:
    console = Terminal(file=io.StringIO(), width=width)
    print_failure(console, failure)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_failed_gate() -> None:
    failure = failure_of("failed_at_gate")

    assert (failure.status, failure.stage, failure.error) == ("FAILED", "Gate", "QualityGateError")
    assert "1 of 19 items were rejected, 5.3 %" in failure.message
    assert failure.where == []
    assert [command.shows for command in failure.commands] == [
        "its history, the last event first",
        "the log of etl-transform",
        "the objects of the run",
    ]


def test_a_failure_reads_as_a_message() -> None:
    assert printed(failure_of("failed_at_plan")) == [
        "",
        "  ✘ The run failed at Plan: InputError",
        "",
        '    unknown field "since": allowed are start, end, lookback_hours; examples:',
        '    {}  or  {"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}',
        '    or  {"lookback_hours": 48}',
    ]


def test_a_failure_before_the_run_has_an_id_shows_two_commands() -> None:
    failure = failure_of("failed_at_plan")

    assert failure.run == ""
    assert [command.shows for command in failure.commands] == [
        "its history, the last event first",
        "the log of etl-extract",
    ]


def unexpected(cause: str) -> Failure:
    recording = Recording("failed_at_plan")
    return explain(recording.deployment, recording.execution, Timeline(status="FAILED", error="KeyError", cause=cause))


def test_an_unforeseen_error_shows_where_it_happened() -> None:
    frames = [f'  File "/var/task/etl/load.py", line {line}, in step\n    code()\n' for line in range(1, 9)]
    failure = unexpected(json.dumps({"errorMessage": "'x'", "errorType": "KeyError", "stackTrace": frames}))

    assert failure.message == "'x'"
    assert failure.where == [f'File "/var/task/etl/load.py", line {line}, in step' for line in (6, 7, 8)]
    assert printed(failure)[-1] == '    File "/var/task/etl/load.py", line 8, in step'


@pytest.mark.parametrize("cause", ["The table is gone. ", '["a", "b"]', '{"Error": 1}', ""])
def test_a_cause_of_another_kind_is_shown_as_it_is(cause: str) -> None:
    assert unexpected(cause).message == (cause.strip() or STATUSES[FAILED].cause)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("ABORTED", "The run was stopped: Aborted"), ("TIMED_OUT", "The run ran out of time: TimedOut")],
)
def test_an_execution_that_was_stopped_or_ran_out_of_time(status: str, expected: str) -> None:
    recording = Recording("failed_at_plan")
    failure = explain(recording.deployment, recording.execution, Timeline(status=status))

    assert printed(failure)[1] == f"  ✘ {expected}"
    assert failure.message


def test_a_failure_is_json_too() -> None:
    document = json.loads(json.dumps(failure_document(failure_of("failed_at_gate"))))

    assert document["status"] == "failed"
    assert document["execution_status"] == "FAILED"
    assert document["stage"] == "Gate"


def test_a_reason_chooses_the_remedy_and_can_be_searched_for() -> None:
    cause = json.dumps({"errorMessage": f"the table is gone [{Reason.NOT_FOUND}]", "errorType": "ConfigurationError"})
    recording = Recording("failed_at_plan")
    timeline = Timeline(status="FAILED", error="ConfigurationError", cause=cause)
    failure = explain(recording.deployment, recording.execution, timeline)

    assert failure.message == f"the table is gone [{Reason.NOT_FOUND}]"
    assert failure.remedy == remedy_for("FAILED", "Plan", "ConfigurationError", f"any text [{Reason.NOT_FOUND}]").text
