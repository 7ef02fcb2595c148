"""Every correction of the embedded AWS: it works, and the uncorrected server still needs it.

When a test of `uncorrected` fails, upstream behaves as AWS does: take the correction out.
"""

from __future__ import annotations

import json
import random
import time
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ministack.services import stepfunctions

from etl_cli.local.clients import Clients
from etl_cli.local.corrections import apply as corrections
from etl_cli.local.corrections import upstream, workflow
from etl_cli.local.environment import LocalEnvironment
from tests.conftest import MakeEnvironment
from tests.local.aws import ROLE, alone, create_function, deploy_resource, finish, invoke, run, start, task
from tests.local.conftest import UncorrectedEnvironment

FAILING = """
    class OrderError(Exception):
        pass

    def check(event):
        raise OrderError("order 7 has no lines")

    def handler(event, context):
        return check(event)
"""


def bucket_tags(clients: Clients, name: str, tags: dict[str, str]) -> dict[str, str]:
    """Give a stack's bucket these tags, and read them back from S3."""
    given = {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}
    deploy_resource(clients, name, "AWS::S3::Bucket", {"BucketName": name, **given})
    try:
        return {tag["Key"]: tag["Value"] for tag in clients.s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchTagSet":
            raise
        return {}


def test_stack_sets_and_changes_the_tags_of_its_bucket(corrected: Clients) -> None:
    own = {"aws:cloudformation:stack-name": "tagged"}  # without any tag S3 answers with an error
    for tags in ({"owner": "etl", "stage": "test"}, {"owner": "someone"}, {}):
        assert bucket_tags(corrected, "tagged", tags) == own | tags


def test_uncorrected_stack_drops_the_tags_of_its_bucket(uncorrected: Clients) -> None:
    assert bucket_tags(uncorrected, "tagged", {"owner": "etl"}) == {}


def test_exception_is_reported_by_its_class_with_a_stack_trace(corrected: Clients) -> None:
    create_function(corrected, "failing", FAILING)

    payload = invoke(corrected, "failing", {})

    assert payload["errorType"] == "OrderError"
    assert payload["errorMessage"] == "order 7 has no lines"
    assert [line.split(", in ")[0] for line in payload["stackTrace"]] == [
        '  File "/var/task/index.py", line 9',
        '  File "/var/task/index.py", line 6',
    ]


def test_uncorrected_exception_has_no_class(uncorrected: Clients) -> None:
    create_function(uncorrected, "failing", FAILING)

    assert invoke(uncorrected, "failing", {}) == {
        "errorMessage": "order 7 has no lines",
        "errorType": "Runtime.HandlerError",
    }


@pytest.mark.parametrize("integration", ["function-arn", "lambda-invoke"])
def test_state_machine_sees_the_exception_as_error_and_cause(corrected: Clients, integration: str) -> None:
    function = create_function(corrected, f"failing-{integration}", FAILING)
    states = task(function)
    if integration == "lambda-invoke":
        states = task("arn:aws:states:::lambda:invoke", Parameters={"FunctionName": function, "Payload.$": "$"})

    execution = run(corrected, f"failing-{integration}", states, {})

    assert execution["status"] == "FAILED"
    assert execution["error"] == "OrderError"
    cause = json.loads(execution["cause"])
    assert cause["errorType"] == "OrderError"
    assert cause["errorMessage"] == "order 7 has no lines"
    assert len(cause["stackTrace"]) == 2


def test_retry_and_catch_match_the_class_of_the_exception(corrected: Clients) -> None:
    function = create_function(
        corrected,
        "recovering",
        """
        class Busy(Exception):
            pass

        def handler(event, context):
            if event["attempt"] < 2:
                raise Busy("later")
            raise KeyError("never")
        """,
    )
    definition = task(
        function,
        Parameters={"attempt.$": "$$.State.RetryCount"},
        Retry=[{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 5}],
        Catch=[{"ErrorEquals": ["KeyError"], "Next": "Caught", "ResultPath": "$.failure"}],
    )
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}

    execution = run(corrected, "recovering", definition, {"kept": 1})

    assert execution["status"] == "SUCCEEDED"
    output = json.loads(execution["output"])
    assert output["kept"] == 1
    assert output["failure"]["Error"] == "KeyError"
    assert json.loads(output["failure"]["Cause"])["errorMessage"] == "'never'"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("import os\ndef handler(event, context): os._exit(3)", "Runtime.ExitError", "exit status 3"),
        ("import os\ndef handler(event, context): os.kill(os.getpid(), 9)", "Runtime.ExitError", "signal: 9"),
        ("import sys\ndef handler(event, context): sys.exit(1)", "Runtime.ExitError", "Runtime exited"),
        ("import nothing_like_it", "Runtime.ImportModuleError", "No module named 'nothing_like_it'"),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("other = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("raise ValueError('at import')", "ValueError", "at import"),
        ("import time\ndef handler(event, context): time.sleep(5)", "Sandbox.Timedout", "Task timed out after 1"),
    ],
    ids=["exit", "kill", "sys-exit", "import", "syntax", "handler", "at-import", "timeout"],
)
def test_failure_of_the_process_is_named_as_on_aws(
    corrected: Clients, request: pytest.FixtureRequest, source: str, error: str, message: str
) -> None:
    name = f"process-{request.node.callspec.id}"
    function = create_function(corrected, name, source, timeout_seconds=1)

    execution = run(corrected, name, task(function), {})

    assert execution["error"] == error
    assert message in json.loads(execution["cause"])["errorMessage"]


def test_function_works_again_after_its_process_died(corrected: Clients) -> None:
    source = "import os\ndef handler(event, context): return os._exit(1) if event['die'] else 'alive'"
    create_function(corrected, "mortal", source)

    assert invoke(corrected, "mortal", {"die": False}) == "alive"
    assert invoke(corrected, "mortal", {"die": True})["errorType"] == "Runtime.ExitError"
    assert invoke(corrected, "mortal", {"die": False}) == "alive"


def test_uncorrected_death_of_the_process_is_not_named(uncorrected: Clients) -> None:
    create_function(uncorrected, "mortal", "import os\ndef handler(event, context): os._exit(1)")

    assert invoke(uncorrected, "mortal", {})["errorType"] == "Runtime.HandlerError"


IMPORTS = """
    import importlib

    def handler(event, context):
        importlib.import_module(event)
        return "imported"
"""


@pytest.mark.parametrize("module", ["boto3", "botocore.config", "s3transfer", "dateutil.parser", "json", "sqlite3"])
def test_functions_import_what_the_runtime_brings(corrected: Clients, module: str) -> None:
    create_function(corrected, f"imports-{module.replace('.', '-')}", IMPORTS)

    assert invoke(corrected, f"imports-{module.replace('.', '-')}", module) == "imported"


@pytest.mark.parametrize("module", ["msgspec", "rich", "aws_cdk", "etl", "etl_cli", "yaml"])
def test_functions_do_not_import_what_only_the_checkout_has(corrected: Clients, module: str) -> None:
    create_function(corrected, f"imports-{module}", IMPORTS)

    assert invoke(corrected, f"imports-{module}", module)["errorType"] == "ModuleNotFoundError"


def test_uncorrected_functions_import_whatever_is_installed(uncorrected: Clients) -> None:
    create_function(uncorrected, "imports", IMPORTS)

    assert invoke(uncorrected, "imports", "rich") == "imported"


def retry_delays(clients: Clients, name: str) -> list[float]:
    """The seconds between the attempts of a task that fails four times; 1, 2 and 2 if MaxDelaySeconds is heeded."""
    retry = {"IntervalSeconds": 1, "BackoffRate": 5, "MaxDelaySeconds": 2, "MaxAttempts": 3}
    function = create_function(clients, name, FAILING)
    execution = run(clients, name, task(function, Retry=[{"ErrorEquals": ["States.ALL"], **retry}]), {})
    history = clients.stepfunctions.get_execution_history(executionArn=execution["executionArn"])["events"]
    failed = [event["timestamp"] for event in history if event["type"] == "TaskFailed"]
    scheduled = [event["timestamp"] for event in history if event["type"] == "TaskScheduled"]
    return [(again - before).total_seconds() * 10 for before, again in pairwise(sorted(failed + scheduled))][1::2]


def test_retries_wait_at_most_max_delay_seconds(corrected: Clients) -> None:
    assert retry_delays(corrected, "delayed") == pytest.approx([1, 2, 2], abs=1.5)


def test_uncorrected_retries_ignore_max_delay_seconds(uncorrected: Clients) -> None:
    assert retry_delays(uncorrected, "delayed") == pytest.approx([1, 5, 25], abs=1.5)


def test_full_jitter_draws_a_delay_up_to_the_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepfunctions, "_find_matching_retrier", stepfunctions._find_matching_retrier)
    retrier = {"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "JitterStrategy": "FULL", "MaxDelaySeconds": 6}
    uncorrected, _ = stepfunctions._find_matching_retrier([retrier], "Busy", {0: 2})
    assert uncorrected["IntervalSeconds"] * uncorrected.get("BackoffRate", 2.0) ** 2 == 8

    random.seed(1)
    workflow.delay_retries_as_told()
    found = [stepfunctions._find_matching_retrier([retrier], "Busy", {0: 2})[0] for _ in range(300)]

    delays = [retrier["IntervalSeconds"] * retrier["BackoffRate"] ** 2 for retrier in found]
    assert 0 <= min(delays) < 0.5
    assert 5.5 < max(delays) <= 6


MISSING = {
    "parameters": {"Type": "Pass", "Parameters": {"x.$": "$.missing"}, "End": True},
    "input-path": {"Type": "Pass", "InputPath": "$.missing", "End": True},
    "output-path": {"Type": "Succeed", "OutputPath": "$.missing"},
    "choice": {
        "Type": "Choice",
        "Choices": [{"Variable": "$.missing", "BooleanEquals": True, "Next": "End"}],
        "Default": "End",
    },
    "items": {
        "Type": "Map",
        "ItemsPath": "$.missing",
        "ItemProcessor": alone("Pass"),
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "End"}],
        "End": True,
    },
}


def missing_machine(kind: str) -> dict[str, Any]:
    return {"StartAt": "First", "States": {"First": MISSING[kind], "End": {"Type": "Succeed"}}}


@pytest.mark.parametrize("kind", MISSING)
def test_path_that_leads_nowhere_fails_the_execution(corrected: Clients, kind: str) -> None:
    execution = run(corrected, f"missing-{kind}", missing_machine(kind), {"there": None})

    assert execution["status"] == "FAILED"
    assert execution["error"] == "States.Runtime"
    assert "$.missing" in execution["cause"]


@pytest.mark.parametrize("kind", MISSING)
def test_uncorrected_path_that_leads_nowhere_gives_null(uncorrected: Clients, kind: str) -> None:
    execution = run(uncorrected, f"missing-{kind}", missing_machine(kind), {"there": None})

    assert execution["status"] == "SUCCEEDED"


def test_paths_to_null_and_wildcards_lead_somewhere(corrected: Clients) -> None:
    paths = {"null.$": "$.there", "first.$": "$.list[0]", "all.$": "$.list[*].a", "id.$": "$$.Execution.Name"}
    data = {"there": None, "list": [{"a": 1}, {"b": 2}]}

    execution = run(corrected, "present", alone("Pass", Parameters=paths), data)

    assert execution["status"] == "SUCCEEDED"
    found = {"null": None, "first": {"a": 1}, "all": [1], "id": execution["name"]}
    assert json.loads(execution["output"]) == found


@pytest.mark.parametrize(("data", "expected"), [({"x": None}, "Yes"), ({"x": 1}, "Yes"), ({}, "No")])
def test_is_present_asks_for_the_path_and_not_its_value(corrected: Clients, data: object, expected: str) -> None:
    definition = {
        "StartAt": "There?",
        "States": {
            "There?": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "Yes"}],
                "Default": "No",
            },
            "Yes": {"Type": "Pass", "Result": "Yes", "End": True},
            "No": {"Type": "Pass", "Result": "No", "End": True},
        },
    }

    execution = run(corrected, f"present-{len(json.dumps(data))}", definition, data)

    assert json.loads(execution["output"]) == expected


def stop_in_a_map(clients: Clients, name: str) -> tuple[str, int]:
    """Stop an execution in the first of a Map's five failing items; gives its final status and the items begun."""
    clients.s3.create_bucket(Bucket=name)
    function = create_function(
        clients,
        name,
        f"""
        import time, boto3

        def handler(event, context):
            boto3.client("s3").put_object(Bucket="{name}", Key=str(event), Body=b"")
            time.sleep(0.2)
            if event == 4:
                raise ValueError("too late")
        """,
    )
    definition = alone("Map", MaxConcurrency=1, ItemProcessor=task(function))
    execution = start(clients, name, definition, [0, 1, 2, 3, 4])
    while not clients.s3.list_objects_v2(Bucket=name).get("Contents"):
        time.sleep(0.02)
    clients.stepfunctions.stop_execution(executionArn=execution)
    time.sleep(2.5)
    return finish(clients, execution)["status"], clients.s3.list_objects_v2(Bucket=name)["KeyCount"]


def test_a_stopped_execution_begins_no_item_and_stays_aborted(corrected: Clients) -> None:
    assert stop_in_a_map(corrected, "stopped") == ("ABORTED", 1)


def test_uncorrected_stopped_execution_works_on_and_fails(uncorrected: Clients) -> None:
    assert stop_in_a_map(uncorrected, "stopped") == ("FAILED", 5)


# An input has at most 256 KiB. Since Python 3.14 the stack alone limits how many levels it can take.
NESTED = "[" * 130_000 + "]" * 130_000
LONG = "1" * 4_301


def begin(clients: Clients, name: str, data: str, definition: dict[str, Any]) -> str:
    """Start an execution with an input as it is; gives its ARN."""
    machine = clients.stepfunctions.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
    return clients.stepfunctions.start_execution(stateMachineArn=machine["stateMachineArn"], input=data)["executionArn"]


NOTHING = alone("Pass")


@pytest.mark.parametrize(("name", "data"), [("nested", NESTED), ("long", LONG)])
def test_execution_with_an_input_that_python_cannot_take_fails(corrected: Clients, name: str, data: str) -> None:
    execution = finish(corrected, begin(corrected, f"input-{name}", data, NOTHING))

    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")
    assert execution["cause"].startswith(("RecursionError: ", "ValueError: "))


def test_uncorrected_execution_with_such_an_input_never_ends(uncorrected: Clients) -> None:
    begun = [begin(uncorrected, f"input-{len(data)}", data, NOTHING) for data in (NESTED, LONG)]
    time.sleep(1)

    statuses = [uncorrected.stepfunctions.describe_execution(executionArn=each)["status"] for each in begun]
    assert statuses == ["RUNNING", "RUNNING"]


@pytest.mark.parametrize("data", ["{", "text", "[1,]"])
def test_input_that_is_no_json_is_refused(corrected: Clients, data: str) -> None:
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        begin(corrected, f"no-json-{len(data)}", data, NOTHING)


def test_uncorrected_input_that_is_no_json_is_taken(uncorrected: Clients) -> None:
    assert finish(uncorrected, begin(uncorrected, "no-json", "{", NOTHING))["status"] == "SUCCEEDED"


def broken_children(clients: Clients, name: str) -> str:
    """The status of a Distributed Map whose items can't be selected."""
    mode = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    selector = {"there.$": "$.nowhere"}
    definition = alone("Map", ItemProcessor=mode | NOTHING, ItemSelector=selector, ItemsPath="$.items")
    return run(clients, name, definition, {"items": [1, 2]})["status"]


def test_child_that_breaks_fails_its_map(corrected: Clients) -> None:
    assert broken_children(corrected, "broken-children") == "FAILED"


def test_uncorrected_child_that_breaks_is_lost(uncorrected: Clients) -> None:
    assert broken_children(uncorrected, "broken-children") == "SUCCEEDED"


def timed_out(clients: Clients, name: str) -> tuple[str, list[str], list[dict[str, Any]]]:
    """Run a Map of slow items for longer than its machine may; gives its status, history and status events.

    The items begun last are at work when the time is over.
    """
    queue = clients.session.client("sqs", **clients.options)
    address = queue.create_queue(QueueName=name)["QueueUrl"]
    target = queue.get_queue_attributes(QueueUrl=address, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    function = create_function(clients, name, "import time\ndef handler(event, context): time.sleep(0.8)")
    definition = alone("Map", MaxConcurrency=1, ItemProcessor=task(function)) | {"TimeoutSeconds": 1}
    machine = clients.stepfunctions.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE)
    pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [machine["stateMachineArn"]]}}
    clients.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    clients.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": target}])
    begun = clients.stepfunctions.start_execution(stateMachineArn=machine["stateMachineArn"], input="[0, 1]")
    time.sleep(2.6)
    status = finish(clients, begun["executionArn"])["status"]
    history = clients.stepfunctions.get_execution_history(executionArn=begun["executionArn"])["events"]
    received = queue.receive_message(QueueUrl=address, MaxNumberOfMessages=10).get("Messages", [])
    return status, [event["type"] for event in history], [json.loads(each["Body"])["detail"] for each in received]


def test_execution_times_out_and_late_results_change_nothing(corrected: Clients) -> None:
    status, history, told = timed_out(corrected, "timed-out")

    assert status == "TIMED_OUT"
    assert history[-1] == "ExecutionTimedOut"
    assert history.count("ExecutionTimedOut") == 1
    assert [each["status"] for each in told] == ["RUNNING", "TIMED_OUT"]
    assert told[-1]["stopDate"]
    assert told[-1]["output"] is None


def test_uncorrected_execution_takes_its_time(uncorrected: Clients) -> None:
    assert timed_out(uncorrected, "timed-out")[0] == "SUCCEEDED"


def test_execution_within_its_time_succeeds(corrected: Clients) -> None:
    execution = run(corrected, "in-time", NOTHING | {"TimeoutSeconds": 1}, {})
    time.sleep(1.2)

    assert finish(corrected, execution["executionArn"])["status"] == "SUCCEEDED"


def map_history(clients: Clients, name: str) -> list[dict[str, Any]]:
    """The history of a Map over the items 0, 1 and 2, of which 1 takes longest and fails once."""
    source = """
        import time

        def handler(event, context):
            time.sleep(0.3 if event["item"] == 1 else 0.05)
            if event["item"] == 1 and event["retries"] == 0:
                raise ValueError("once")
    """
    each = task(
        create_function(clients, name, source),
        Parameters={"item.$": "$", "retries.$": "$$.State.RetryCount"},
        Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}],
    )
    execution = start(clients, name, alone("Map", ItemProcessor=each), [0, 1, 2])
    assert finish(clients, execution)["status"] == "SUCCEEDED"
    events: Any = clients.stepfunctions.get_execution_history(executionArn=execution)["events"]
    return list(events)


def items_of(events: list[dict[str, Any]]) -> dict[int, list[str]]:
    """What happened to each item of a Map, found by following the events back."""
    item_of: dict[int, int] = {}
    found: dict[int, list[str]] = {}
    for event in events:
        if event["type"] == "MapIterationStarted":
            item_of[event["id"]] = event["mapIterationStartedEventDetails"]["index"]
        elif event["type"].startswith("Task") and event.get("previousEventId") in item_of:
            item_of[event["id"]] = item_of[event["previousEventId"]]
            found.setdefault(item_of[event["id"]], []).append(event["type"].removeprefix("Task"))
    return found


def test_history_tells_the_items_of_a_map_apart(corrected: Clients) -> None:
    events = map_history(corrected, "linked")
    once = ["Scheduled", "Succeeded"]

    assert items_of(events) == {0: once, 1: ["Scheduled", "Failed", *once], 2: once}
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event.get("previousEventId", 0) for event in events[:2]] == [0, 1]


def test_uncorrected_history_mixes_the_items_of_a_map(uncorrected: Clients) -> None:
    assert items_of(map_history(uncorrected, "unlinked")) == {}


WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")


def is_logged(environment: LocalEnvironment, *actions: str) -> bool:
    """Whether a function's output arrives in its log, if its role has only these actions."""
    environment.start(strict=True)
    clients, name = environment.clients(), f"printing-{len(actions)}-{actions[0][5:]}"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    group = f"arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/{name}:*"
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": group}]}
    )
    clients.iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=document)
    clients.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    create_function(clients, name, "def handler(event, context): print('here I am')", role=role)

    invoke(clients, name, {})

    events = clients.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return any("here I am" in event["message"] for event in events)


def test_function_logs_as_its_role_may(make_environment: MakeEnvironment) -> None:
    environment = make_environment()

    assert is_logged(environment, *WRITE_LOGS)
    assert not is_logged(environment, "logs:CreateLogStream")
    assert not is_logged(environment, "logs:PutLogEvents")
    environment.stop()


def test_uncorrected_function_logs_whatever_its_role_may(make_environment: MakeEnvironment) -> None:
    environment = make_environment(UncorrectedEnvironment)

    assert is_logged(environment, "logs:CreateLogStream")
    environment.stop()


ON_ITEMS = ("dynamodb:Scan", "dynamodb:BatchWriteItem", "dynamodb:DescribeTable")


def refusals(environment: LocalEnvironment) -> list[str]:
    """The requests to an encrypted table that a user without its key is refused; with it, none is."""
    environment.start(strict=True)
    clients = environment.clients()
    kms: Any = clients.session.client("kms", **clients.options)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    clients.dynamodb.create_table(
        TableName="encrypted",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    clients.iam.create_user(UserName="reader")
    made = clients.iam.create_access_key(UserName="reader")["AccessKey"]
    secrets: Any = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    dynamodb: Any = clients.session.client("dynamodb", **secrets, **clients.options)
    requests: dict[str, Any] = {
        "describe": lambda: dynamodb.describe_table(TableName="encrypted"),
        "scan": lambda: dynamodb.scan(TableName="encrypted"),
        "write": lambda: dynamodb.batch_write_item(
            RequestItems={"encrypted": [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]}
        ),
    }

    def refused(*statements: dict[str, Any]) -> list[str]:
        table = {"Effect": "Allow", "Action": ON_ITEMS, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [table, *statements]})
        clients.iam.put_user_policy(UserName="reader", PolicyName="table", PolicyDocument=document)
        found = []
        for name, request in requests.items():
            try:
                request()
            except ClientError as error:
                answer = error.response["Error"]
                if answer["Code"] == "AccessDeniedException" and "KMS key access denied error" in answer["Message"]:
                    found.append(name)
        return found

    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
    via = {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}
    elsewhere = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    without = refused()
    assert refused(decrypt | {"Condition": {"StringEquals": via}}) == []
    assert refused(decrypt | {"Condition": {"StringEquals": elsewhere}}) == without
    return without


def test_items_of_an_encrypted_table_need_its_key(make_environment: MakeEnvironment) -> None:
    environment = make_environment()

    assert refusals(environment) == ["scan", "write"]
    environment.stop()


def test_uncorrected_items_of_an_encrypted_table_need_no_key(make_environment: MakeEnvironment) -> None:
    environment = make_environment(UncorrectedEnvironment)

    assert refusals(environment) == []
    environment.stop()


def test_another_version_of_ministack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "9.9.9")

    with pytest.raises(upstream.CorrectionError, match=r"ministack 9\.9\.9 is installed.*make setup"):
        corrections.apply_all()


def test_changed_source_of_ministack_is_refused() -> None:
    with pytest.raises(upstream.CorrectionError, match="does not contain once: def run"):
        upstream.replaced("something else", "def run", "def walk")
