"""The specification, walked through: its commands in their order and to the letter, typed into one shell.

The shell has only the variables of `etl local env`; `aws` and `cdk` are the real ones. The commands are those of
the specification's sections Deployment, Testing, Troubleshooting and Cleanup.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from etl_cli.local.clients import Clients
from etl_cli.local.environment import LocalEnvironment
from tests.pipeline.pipeline import wait_for
from tests.support import ROOT, make_home

SYNTH = "cdk synth EtlPipelineStack"
DEPLOY = "cdk deploy EtlPipelineStack"
OUTPUTS = """aws cloudformation describe-stacks \\
  --stack-name EtlPipelineStack \\
  --query "Stacks[0].Outputs"
"""
POPULATE = """# Get source table name
SOURCE_TABLE=$(aws cloudformation describe-stacks \\
  --stack-name EtlPipelineStack \\
  --query "Stacks[0].Outputs[?OutputKey=='SourceTableName'].OutputValue" \\
  --output text)

# Add test data
aws dynamodb put-item \\
  --table-name $SOURCE_TABLE \\
  --item '{
    "id": {"S": "item-001"},
    "name": {"S": "Test Item 1"},
    "value": {"N": "100"},
    "timestamp": {"S": "2024-01-15T10:00:00Z"}
  }'

# Add more test data
aws dynamodb put-item \\
  --table-name $SOURCE_TABLE \\
  --item '{
    "id": {"S": "item-002"},
    "name": {"S": "Test Item 2"},
    "value": {"N": "200"},
    "timestamp": {"S": "2024-01-15T11:00:00Z"}
  }'
"""
START = """STATE_MACHINE_ARN=$(aws cloudformation describe-stacks \\
  --stack-name EtlPipelineStack \\
  --query "Stacks[0].Outputs[?OutputKey=='StateMachineArn'].OutputValue" \\
  --output text)

# Start execution
EXECUTION_ARN=$(aws stepfunctions start-execution \\
  --state-machine-arn $STATE_MACHINE_ARN \\
  --input '{}' \\
  --query 'executionArn' \\
  --output text)

echo "Execution ARN: $EXECUTION_ARN"
"""
SEND_EVENT = """# Get EventBridge rule name
RULE_NAME="etl-daily-schedule"

# Send test event
aws events put-events \\
  --entries '[{
    "Source": "manual.trigger",
    "DetailType": "ETL Pipeline Trigger",
    "Detail": "{\\"action\\":\\"start\\"}"
  }]'
"""
DESCRIBE = """aws stepfunctions describe-execution \\
  --execution-arn $EXECUTION_ARN
"""
HISTORY = """# Get execution history
aws stepfunctions get-execution-history \\
  --execution-arn $EXECUTION_ARN
"""
STAGING = """STAGING_BUCKET=$(aws cloudformation describe-stacks \\
  --stack-name EtlPipelineStack \\
  --query "Stacks[0].Outputs[?OutputKey=='StagingBucketName'].OutputValue" \\
  --output text)

aws s3 ls s3://$STAGING_BUCKET/ --recursive
"""
DESTINATION = """DEST_TABLE=$(aws cloudformation describe-stacks \\
  --stack-name EtlPipelineStack \\
  --query "Stacks[0].Outputs[?OutputKey=='DestinationTableName'].OutputValue" \\
  --output text)

aws dynamodb scan \\
  --table-name $DEST_TABLE \\
  --limit 10
"""
SCRIPT = "python tests/etl_pipeline/test_etl_pipeline.py"
RULE = "aws events describe-rule --name etl-daily-schedule"
DESTROY = "cdk destroy EtlPipelineStack"


class Shell:
    """A shell whose variables last from one command to the next, as in a terminal."""

    def __init__(self, state_dir: Path, home: Path) -> None:
        self._environment = os.environ | {"ETL_LOCAL_DIR": str(state_dir), "HOME": str(make_home(home))}
        self._variables = variables = home / "variables"
        # Other tests synthesize in this checkout at the same time: the CDK CLI gets a folder of its own.
        own = f"export CDK_OUTPUT={home / 'cdk.out'}"
        variables.write_text(f'eval "$({shlex.quote(str(ROOT))}/.venv/bin/etl local env)"\n{own}\n')

    def __call__(self, command: str) -> str:
        """Type a command; return its output."""
        script = f"set -eo pipefail\nsource {self._variables}\n{command}\ndeclare -p | grep -E ' [A-Z_]+=' "
        script += (
            f"| grep -vE '^declare -[a-z]*r' > {self._variables}.new\nmv {self._variables}.new {self._variables}\n"
        )
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, command: str) -> Any:
        return json.loads(self(command))


def test_the_specification_holds_line_by_line(make_environment: Callable[[], LocalEnvironment], tmp_path: Path) -> None:
    environment = make_environment()
    environment.start()
    shell = Shell(environment.state_dir, tmp_path)
    deploy(shell)
    populate(shell)
    clients = environment.clients()
    run_with_the_default_window(shell, clients)
    run_by_an_event(shell, clients)
    run_with_the_window_of_the_items(shell, clients)
    read_the_logs(shell)
    verify(shell)
    shell(SCRIPT)
    rule = shell.json(RULE)
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "cron(0 2 * * ? *)")
    destroy(shell, environment)


def deploy(shell: Shell) -> None:
    """Deployment, steps 2 to 4."""
    assert "AWS::StepFunctions::StateMachine" in shell(SYNTH)
    # Once for an account and region. Outside the checkout the CDK CLI does not synthesize the app for nothing.
    shell("cd / && cdk bootstrap aws://000000000000/us-east-1")
    shell("export CDK_REQUIRE_APPROVAL=never")  # a person is asked whether the new roles are wanted
    shell(DEPLOY)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in shell.json(OUTPUTS)}
    assert outputs == {
        "SourceTableName": "etl-source-data",
        "DestinationTableName": "etl-destination-data",
        "StagingBucketName": "etl-staging-000000000000-us-east-1",
        "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:etl-pipeline",
    }


def populate(shell: Shell) -> None:
    """Testing, 1."""
    shell(POPULATE)


def run_with_the_default_window(shell: Shell, clients: Clients) -> None:
    """Testing, 2 (Option A) and 3: the sample items are of 2024, so the last 24 hours hold none of them."""
    assert shell(START).startswith("Execution ARN: arn:aws:states:us-east-1:000000000000:execution:etl-pipeline:")
    report = ended(shell, clients)
    assert report["counts"]["scanned"] == 2
    assert report["counts"]["read"] == report["counts"]["loaded"] == 0
    entered = [
        event["stateEnteredEventDetails"]["name"]
        for event in shell.json(HISTORY)["events"]
        if "stateEnteredEventDetails" in event
    ]
    top = [name for name in entered if name in ("Plan", "Extract", "Transform", "Gate", "Load", "Finish")]
    assert top == ["Plan", "Extract", "Transform", "Gate", "Load", "Finish"]


def run_by_an_event(shell: Shell, clients: Clients) -> None:
    """Testing, 2 (Option B)."""
    machine = shell("echo $STATE_MACHINE_ARN").strip()

    def executions() -> set[str]:
        listed = clients.stepfunctions.list_executions(stateMachineArn=machine)["executions"]
        return {execution["executionArn"] for execution in listed}

    before = executions()
    assert shell.json(SEND_EVENT)["FailedEntryCount"] == 0
    (arn,) = wait_for("the execution that the event starts", lambda: executions() - before)
    shell(f"EXECUTION_ARN={arn}")
    assert ended(shell, clients)["counts"]["scanned"] == 2


def run_with_the_window_of_the_items(shell: Shell, clients: Clients) -> None:
    """The sample items are loaded by a run with their day as its window, as the README says."""
    shell(START.replace("'{}'", """'{"start": "2024-01-15T00:00:00Z", "end": "2024-01-16T00:00:00Z"}'"""))
    report = ended(shell, clients)
    assert report["counts"]["loaded"] == 2
    shell(f"RUN={report['run']}")


def read_the_logs(shell: Shell) -> None:
    """Monitoring, logs. The AWS CLI of PyPI is version 1, which has no `aws logs tail`; the groups are the same."""
    for function in ("etl-extract", "etl-transform", "etl-load"):
        events = shell.json(f"aws logs filter-log-events --log-group-name /aws/lambda/{function}")["events"]
        lines = [json.loads(event["message"]) for event in events if event["message"].startswith('{"time"')]
        assert {line["level"] for line in lines} == {"INFO"}
        assert {line["message"] for line in lines} == {"finished"}


def verify(shell: Shell) -> None:
    """Testing, 4."""
    listed = shell(STAGING)
    run = shell("echo $RUN").strip()
    for key in ("extract/{}/data.json", "transform/{}/data.json", "transform/{}/aggregates.json"):
        assert key.format(run) in listed
    items = {item["id"]["S"]: item for item in shell.json(DESTINATION)["Items"]}
    assert items["item-001"] == {
        "id": {"S": "item-001"},
        "name": {"S": "Test Item 1"},
        "value": {"N": "100"},
        "timestamp": {"S": "2024-01-15T10:00:00Z"},
        "date": {"S": "2024-01-15"},
        "size": {"S": "medium"},
        "as_of": {"S": "2024-01-16T00:00:00Z"},
    }
    assert items["item-002"]["value"] == {"N": "200"}
    assert len(items) == 2


def destroy(shell: Shell, environment: LocalEnvironment) -> None:
    """Cleanup: nothing of the stack is left."""
    shell(f"{DESTROY} --force")  # a person is asked at the terminal, and a test has none
    clients = environment.clients()
    assert clients.dynamodb.list_tables()["TableNames"] == []
    assert [b["Name"] for b in clients.s3.list_buckets()["Buckets"] if b["Name"].startswith("etl-")] == []
    assert clients.lambda_.list_functions()["Functions"] == []
    assert shell.json("aws stepfunctions list-state-machines")["stateMachines"] == []
    assert shell.json("aws events list-rules")["Rules"] == []
    assert [g for g in shell.json("aws logs describe-log-groups")["logGroups"] if "etl" in g["logGroupName"]] == []


def ended(shell: Shell, clients: Clients) -> Any:
    """The report of the execution in the shell's EXECUTION_ARN."""
    arn = shell("echo $EXECUTION_ARN").strip()
    # Asked by a client meanwhile: the AWS CLI's start costs as much as the run.
    ask = clients.stepfunctions.describe_execution
    wait_for("the end of the execution", lambda: ask(executionArn=arn)["status"] != "RUNNING")
    described = shell.json(DESCRIBE)
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])
