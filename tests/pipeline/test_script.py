"""The specification's test script as it is typed: its exit codes, reasons and traces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest

from tests.pipeline.interposer import Answer, Request
from tests.pipeline.pipeline import Pipeline, wait_for
from tests.support import PIPELINE, ROOT

SCRIPT = ["tests/etl_pipeline/test_etl_pipeline.py", "--pipeline", PIPELINE]
OWN = "etl-test-"
NOT_ON_AWS = ("etl", "etl_cli", "serverless_app", "aws_cdk", "ministack", "msgspec", "rich", "typer", "pytest")


def environment_of(pipeline: Pipeline, **variables: str) -> dict[str, str]:
    return pipeline.deployed.environment.environ() | variables


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *SCRIPT, *arguments],
        cwd=ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def left_behind(pipeline: Pipeline) -> list[str]:
    """The ids of the script's items in the two tables."""
    return sorted(
        item["id"]["S"]
        for table in (pipeline.deployed.source_table, pipeline.deployed.destination_table)
        for page in pipeline.clients.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for item in page["Items"]
        if item["id"]["S"].startswith(OWN)
    )


def last_status(pipeline: Pipeline) -> str:
    """The status of the execution that was started last."""
    found = pipeline.clients.stepfunctions.list_executions(stateMachineArn=pipeline.deployed.state_machine_arn)
    return max(found["executions"], key=lambda each: each["startDate"])["status"]


def test_it_lists_its_steps_and_leaves_nothing_behind(pipeline: Pipeline) -> None:
    done = run(environment_of(pipeline, PYTHONIOENCODING="utf-8"))

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    steps = [line for line in lines if line.startswith("✓")]
    assert lines[-1].startswith(f"All {len(steps)} steps passed in ")
    assert not any(line.startswith("✗") for line in lines)
    assert left_behind(pipeline) == []


def test_it_keeps_its_items_on_request_and_can_print_ascii(pipeline: Pipeline) -> None:
    done = run(environment_of(pipeline, PYTHONIOENCODING="ascii"), "--keep")

    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert done.stdout.startswith("ok Find the stack EtlPipelineStack")
    kept = left_behind(pipeline)
    assert f"kept: 272 items from {kept[0]} on" in done.stdout
    assert len(set(kept)) == 272
    for table, keys in (
        (pipeline.deployed.source_table, ("id",)),
        (pipeline.deployed.destination_table, ("id", "timestamp")),
    ):
        for page in pipeline.clients.dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                if item["id"]["S"].startswith(OWN):
                    pipeline.clients.dynamodb.delete_item(TableName=table, Key={name: item[name] for name in keys})


def test_without_a_stack_it_says_how_to_deploy_one(pipeline: Pipeline) -> None:
    done = run(environment_of(pipeline), "--stack", "NoSuchStack")

    assert done.returncode == 2
    endpoint = pipeline.deployed.environment.variables()["AWS_ENDPOINT_URL"]
    assert f"error: there is no stack NoSuchStack at {endpoint} (region us-east-1)" in done.stderr
    assert "etl local deploy" in done.stderr
    assert "cdk deploy" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AWS_DEFAULT_REGION": "us-east-1"}, "Unable to locate credentials"),
        ({"AWS_REGION": "us-east-1"}, "Unable to locate credentials"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "You must specify a region"),
    ],
    ids=["credentials", "credentials, with the region that others honour", "region"],
)
def test_without_credentials_or_a_region_it_says_what_to_set(variables: dict[str, str], words: str) -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

    done = run(outside | nowhere | {"AWS_EC2_METADATA_DISABLED": "true"} | variables)

    assert done.returncode == 2
    assert words in done.stderr
    assert "set AWS_PROFILE" in done.stderr


def test_where_nothing_answers_it_says_so(pipeline: Pipeline) -> None:
    done = run(environment_of(pipeline, AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_MAX_ATTEMPTS="1"))

    assert done.returncode == 2
    assert 'Could not connect to the endpoint URL: "http://127.0.0.1:1/"' in done.stderr
    assert "Has the local environment ended?" in done.stderr


def test_an_execution_that_fails_is_told_with_its_cause(pipeline: Pipeline) -> None:
    with pipeline.configured("etl-transform", REJECT_THRESHOLD_PERCENT="0"):
        done = run(environment_of(pipeline))

    assert done.returncode == 1
    assert "error: the execution is FAILED: QualityGateError: run " in done.stderr
    assert " items were rejected, " in done.stderr
    assert left_behind(pipeline) == []


def test_a_mismatch_names_the_item_the_attribute_and_both_values(pipeline: Pipeline) -> None:
    def alter(request: Request) -> Answer:
        answer = request.forward()
        if not request.operation.endswith("/data.json"):
            return answer
        # Of the same length: Load checks it.
        return Answer(answer.status, answer.headers, answer.body.replace(b'"Test Item 7"', b'"Test Item X"'))

    with pipeline.interposed("etl-load", "S3", alter):
        done = run(environment_of(pipeline))

    assert done.returncode == 1
    assert "error: table etl-destination-data:" in done.stderr
    assert "-0007, attribute name: expected S 'Test Item 7', got S 'Test Item X'" in done.stderr
    assert left_behind(pipeline) == []


def test_an_execution_that_takes_too_long_is_stopped(pipeline: Pipeline) -> None:
    done = run(environment_of(pipeline), "--timeout", "0")

    assert done.returncode == 1
    assert "error: time-out: the execution did not end in time: arn:aws:states:" in done.stderr
    assert last_status(pipeline) == "ABORTED"
    assert left_behind(pipeline) == []


def test_interrupted_it_stops_its_execution_and_cleans_up(pipeline: Pipeline) -> None:
    def slowly(request: Request) -> Answer:
        if request.operation == "Scan":
            time.sleep(5)
        return request.forward()

    with pipeline.interposed("etl-extract", "DYNAMODB", slowly):
        environment = environment_of(pipeline, PYTHONUNBUFFERED="1")
        with subprocess.Popen(
            [sys.executable, *SCRIPT],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            wait_for("the execution's start", lambda: last_status(pipeline) == "RUNNING")
            process.send_signal(signal.SIGINT)
            output = process.stdout.read()

    assert process.returncode == 130, output
    assert output.endswith("interrupted\n")
    assert last_status(pipeline) == "ABORTED"
    assert left_behind(pipeline) == []


def test_it_needs_nothing_but_boto3() -> None:
    hide = f"import sys; sys.modules.update(dict.fromkeys({NOT_ON_AWS}))"
    start = f"import runpy; sys.argv = ['test', '--help']; runpy.run_path({SCRIPT[0]!r}, run_name='__main__')"

    done = subprocess.run(
        [sys.executable, "-c", f"{hide}; {start}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    for word in (
        "--stack",
        "--keep",
        "--timeout SECONDS",
        "python tests/etl_pipeline/test_etl_pipeline.py",
        "exit codes",
    ):
        assert word in done.stdout
