"""Functions and state machines for tests of the embedded AWS itself."""

from __future__ import annotations

import io
import json
import textwrap
import time
import zipfile
from typing import TYPE_CHECKING, Any

from etl_cli.local.clients import Clients

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

ROLE = "arn:aws:iam::000000000000:role/any"
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}'
RUN_SECONDS = 30.0


def create_role(clients: Clients, name: str) -> str:
    """Create a role without permissions, which anybody may assume; gives its ARN."""
    return clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]


def deploy_resource(clients: Clients, stack: str, kind: str, properties: dict[str, Any]) -> None:
    """Make a stack of one resource, or change it, and wait until that is done."""
    body = json.dumps({"Resources": {"Resource": {"Type": kind, "Properties": properties}}})
    done = "update" if clients.has_stack(stack) else "create"
    cloudformation: Any = clients.cloudformation
    getattr(cloudformation, f"{done}_stack")(StackName=stack, TemplateBody=body)
    waiter = cloudformation.get_waiter(f"stack_{done}_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 1})


def create_function(
    clients: Clients, name: str, source: str, *, timeout_seconds: int = 10, memory_mb: int = 128, role: str = ROLE
) -> str:
    """Create a Python function from the source of its module `index`, with the handler `handler`; gives its ARN."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", textwrap.dedent(source))
    function = clients.lambda_.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Timeout=timeout_seconds,
        MemorySize=memory_mb,
        Code={"ZipFile": content.getvalue()},
    )
    return function["FunctionArn"]


def invoke(clients: Clients, function: str, event: object) -> Any:
    """Invoke a function and give its payload, which for a failure is AWS's description of it."""
    return json.loads(clients.lambda_.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"].read())


def start(clients: Clients, name: str, definition: dict[str, Any], data: object) -> str:
    """Create a state machine and start an execution of it; gives the execution's ARN."""
    machine = clients.stepfunctions.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
    execution = clients.stepfunctions.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps(data)
    )
    return execution["executionArn"]


def finish(clients: Clients, execution: str) -> DescribeExecutionOutputTypeDef:
    """Wait for the end of an execution."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        description = clients.stepfunctions.describe_execution(executionArn=execution)
        if description["status"] != "RUNNING":
            return description
        time.sleep(0.05)
    raise TimeoutError(f"{execution} still runs after {RUN_SECONDS} s")


def run(clients: Clients, name: str, definition: dict[str, Any], data: object) -> DescribeExecutionOutputTypeDef:
    """Create a state machine, and run it to its end."""
    return finish(clients, start(clients, name, definition, data))


def task(function_arn: str, **fields: object) -> dict[str, Any]:
    """A machine of one task, which hands its input to a function."""
    return alone("Task", Resource=function_arn, **fields)


def alone(kind: str, **fields: object) -> dict[str, Any]:
    """A machine of one state of this type, which is its name too."""
    return {"StartAt": kind, "States": {kind: {"Type": kind, "End": True, **fields}}}
