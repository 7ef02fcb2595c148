"""The foundations of the pipeline's workflow work in the embedded AWS, in the workflow's own combination."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from etl_cli.local.clients import Clients
from etl_cli.local.environment import LocalEnvironment
from tests.local.aws import create_function, run

WORKER = """
    class Refused(Exception):
        pass

    def handler(event, context):
        work = event["work"]
        if work["segment"] == event["run"]["refuse"]:
            raise Refused(f"segment {work['segment']}")
        steps = work["steps"] + 1
        cursor = {} if steps > work["segment"] else {"cursor": steps}
        return {"segment": work["segment"], "steps": steps, "started": event["started"], **cursor}
"""


@pytest.fixture(scope="module")
def clients(local_environment: LocalEnvironment) -> Clients:
    return local_environment.clients()


@pytest.fixture(scope="module")
def worker(clients: Clients) -> str:
    return create_function(clients, "workflow-worker", WORKER)


def workflow(function: str) -> dict[str, Any]:
    """A Map whose items loop over a function as long as it returns a cursor, and a failure path."""
    each = {
        "StartAt": "Work",
        "States": {
            "Work": {
                "Type": "Task",
                "Resource": function,
                "Parameters": {"run.$": "$.run", "work.$": "$.work", "started.$": "$$.Execution.StartTime"},
                "ResultPath": "$.work",
                "Retry": [{"ErrorEquals": ["Lambda.Unknown"], "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}],
                "Next": "Done?",
            },
            "Done?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.work.cursor", "IsPresent": True, "Next": "Work"}],
                "Default": "End",
            },
            "End": {"Type": "Succeed", "OutputPath": "$.work"},
        },
    }
    return {
        "StartAt": "Map",
        "States": {
            "Map": {
                "Type": "Map",
                "ItemsPath": "$.segments",
                "ItemSelector": {"run.$": "$.run", "work.$": "$$.Map.Item.Value"},
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **each},
                "MaxConcurrency": 3,
                "ResultPath": "$.segments",
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Failed"}],
                "End": True,
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
        },
    }


def start_input(refuse: int) -> dict[str, Any]:
    return {"run": {"refuse": refuse}, "segments": [{"segment": number, "steps": 0} for number in range(4)]}


def test_segments_loop_until_they_are_done_and_keep_their_order(clients: Clients, worker: str) -> None:
    execution = run(clients, "workflow-loops", workflow(worker), start_input(refuse=-1))

    assert execution["status"] == "SUCCEEDED"
    output = json.loads(execution["output"])
    assert output["run"] == {"refuse": -1}
    assert [(item["segment"], item["steps"]) for item in output["segments"]] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert not any("cursor" in item for item in output["segments"])
    (started,) = {item["started"] for item in output["segments"]}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", started)


def test_a_segments_failure_fails_the_execution(clients: Clients, worker: str) -> None:
    execution = run(clients, "workflow-fails", workflow(worker), start_input(refuse=2))

    assert execution["status"] == "FAILED"
    assert execution["error"] == "Refused"
    cause = json.loads(execution["cause"])
    assert cause["errorMessage"] == "segment 2"
    assert cause["errorType"] == "Refused"
    assert "/var/task/index.py" in cause["stackTrace"][0]
