"""The actions that each role may do, and no others."""

from __future__ import annotations

import pytest

from tests.infrastructure.iam import policies_of
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

BUCKET = f"arn:aws:s3:::etl-staging-{ACCOUNT}-{REGION}"
TIMESTAMP = "20261123T020000123Z"
SOURCE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/etl-source-data"
DESTINATION = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/etl-destination-data"
LEDGER = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/etl-run-ledger"
STATE_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:etl-pipeline"
RECORDER = f"{STATE_MACHINE}-recorder"
WATCH = f"{STATE_MACHINE}-watch"
METRICS = "*?namespace=EtlPipeline"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:etl-pipeline:0123"
CHILD = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:etl-pipeline/Extract:0123"
MAP_RUN = f"arn:aws:states:{REGION}:{ACCOUNT}:mapRun:etl-pipeline/Extract:0123"
STAGES = ("extract", "transform", "load")
MACHINES = ("etl-pipeline", "etl-pipeline-recorder", "etl-pipeline-watch")
RULES = ("etl-daily-schedule", "etl-pipeline-ended", "etl-pipeline-watch")

MANIFEST = f"{BUCKET}/extract/{TIMESTAMP}/run.json"
REPLAYED = f"{BUCKET}/extract/{TIMESTAMP}/replayed.json"
EXTRACTED = f"{BUCKET}/extract/{TIMESTAMP}/data.json"
TRANSFORMED = f"{BUCKET}/transform/{TIMESTAMP}/data.json"
PARTIAL = f"{BUCKET}/transform/{TIMESTAMP}/partials/0000-0000.json"
AGGREGATES = f"{BUCKET}/transform/{TIMESTAMP}/aggregates.json"
QUARANTINED = f"{BUCKET}/quarantine/{TIMESTAMP}/transform-0000-0000.json"


def seal(arn: str) -> str:
    """The seal of an object."""
    return arn.replace(BUCKET, f"{BUCKET}/seals", 1)


def listed(prefix: str) -> str:
    """A list of the keys that begin with a prefix."""
    return f"{BUCKET}?prefix={prefix}"


def function_arn(stage: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:etl-{stage}"


def log_stream(stage: str) -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/etl-{stage}:log-stream:2026/11/23/[$LATEST]0123"


RESOURCES = [
    *(MANIFEST, REPLAYED, EXTRACTED, TRANSFORMED, PARTIAL, AGGREGATES, QUARANTINED),
    *map(seal, (MANIFEST, REPLAYED, EXTRACTED, TRANSFORMED, PARTIAL, AGGREGATES, QUARANTINED)),
    *map(listed, ("", "seals/", f"seals/quarantine/{TIMESTAMP}/", f"seals/extract/{TIMESTAMP}/", "quarantine/")),
    BUCKET,
    f"{BUCKET}/other/{TIMESTAMP}/data.json",
    f"{BUCKET}/data.json",
    f"arn:aws:s3:::another-bucket/extract/{TIMESTAMP}/data.json",
    *(SOURCE, DESTINATION, LEDGER),
    f"{SOURCE}/index/by-name",
    f"{SOURCE}-2",
    f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/another-table",
    *(log_stream(stage) for stage in (*STAGES, "other")),
    *(function_arn(stage) for stage in (*STAGES, "other")),
    *(STATE_MACHINE, RECORDER, WATCH, EXECUTION, CHILD, MAP_RUN),
    *(each.replace("etl-pipeline", "another-pipeline") for each in (STATE_MACHINE, EXECUTION, CHILD, MAP_RUN)),
    f"arn:aws:sqs:{REGION}:{ACCOUNT}:etl-pipeline-dead-letters",
    f"arn:aws:sns:{REGION}:{ACCOUNT}:etl-pipeline-alarms",
    *(METRICS, "*?namespace=Another"),
    *(BUS, f"{BUS.removesuffix('default')}another"),
    f"arn:aws:iam::{ACCOUNT}:role/another-role",
    "*",
]

# Every verb that a stage uses, and many that it must not have.
ACTIONS = [
    *("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion"),
    *("s3:GetObjectVersion", "s3:GetObjectTagging", "s3:PutObjectTagging", "s3:PutObjectAcl", "s3:PutObjectRetention"),
    *("s3:PutObjectLegalHold", "s3:RestoreObject", "s3:ListBucket", "s3:ListAllMyBuckets", "s3:DeleteBucket"),
    *("s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:PutBucketPublicAccessBlock", "s3:CreateBucket"),
    *("dynamodb:Scan", "dynamodb:DescribeTable", "dynamodb:BatchWriteItem", "dynamodb:Query", "dynamodb:GetItem"),
    *(
        "dynamodb:BatchGetItem",
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:UpdateTable",
        "dynamodb:ConditionCheckItem",
    ),
    *("dynamodb:DeleteTable", "dynamodb:CreateTable", "dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert"),
    *("dynamodb:ExportTableToPointInTime", "dynamodb:UpdateContinuousBackups", "dynamodb:CreateBackup"),
    *("logs:CreateLogStream", "logs:PutLogEvents", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:GetLogEvents"),
    *("logs:FilterLogEvents", "logs:PutRetentionPolicy", "logs:PutResourcePolicy"),
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetTraceSummaries", "xray:BatchGetTraces"),
    *("xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("lambda:InvokeFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
    *("states:StartExecution", "states:StopExecution", "states:UpdateStateMachine", "events:PutEvents"),
    *("states:DescribeExecution", "states:RedriveExecution", "states:ListExecutions", "states:ListMapRuns"),
    *("states:DescribeStateMachine", "states:DescribeMapRun", "states:UpdateMapRun"),
    *("states:GetExecutionHistory", "states:DeleteStateMachine"),
    *("iam:PassRole", "iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "sts:AssumeRole"),
    *("kms:Decrypt", "secretsmanager:GetSecretValue", "ssm:GetParameter", "sqs:SendMessage", "sns:Publish"),
    *("ec2:CreateNetworkInterface", "cloudformation:DeleteStack", "cloudwatch:PutMetricData"),
]


def both(actions: tuple[str, ...], *resources: str) -> set[tuple[str, str]]:
    return {(action, resource) for action in actions for resource in resources}


READ, WRITE, SEAL = ("s3:GetObject",), ("s3:PutObject", "s3:AbortMultipartUpload"), ("s3:PutObject",)
LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
# What acts on no single resource is granted on all of them.
TRACE = both(("xray:PutTraceSegments", "xray:PutTelemetryRecords"), *RESOURCES)

TELL = both(("events:PutEvents",), BUS)
SAMPLING = both(("xray:GetSamplingRules", "xray:GetSamplingTargets"), *RESOURCES)
LOG_DELIVERY = both(
    (
        *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
        *(
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ),
    ),
    *RESOURCES,
)

ALLOWED = {
    "extract": TRACE
    | both(LOG, log_stream("extract"))
    | both(("dynamodb:Scan", "dynamodb:DescribeTable", "dynamodb:BatchGetItem"), SOURCE)
    | both(("dynamodb:GetItem", "dynamodb:PutItem"), LEDGER)
    | both(READ, MANIFEST, REPLAYED, QUARANTINED, seal(REPLAYED), seal(QUARANTINED))
    | both(("s3:ListBucket",), listed(f"seals/quarantine/{TIMESTAMP}/"))
    | both(WRITE, MANIFEST, REPLAYED, EXTRACTED)
    | both(SEAL, seal(MANIFEST), seal(REPLAYED), seal(EXTRACTED)),
    "transform": TRACE
    | both(LOG, log_stream("transform"))
    | both(READ, MANIFEST, REPLAYED, EXTRACTED, PARTIAL, QUARANTINED)
    | both(READ, *map(seal, (MANIFEST, REPLAYED, EXTRACTED, PARTIAL, QUARANTINED)))
    | both(WRITE, TRANSFORMED, PARTIAL, AGGREGATES, QUARANTINED)
    | both(SEAL, *map(seal, (TRANSFORMED, PARTIAL, AGGREGATES, QUARANTINED))),
    "load": TRACE
    | both(LOG, log_stream("load"))
    | both(("dynamodb:BatchWriteItem",), DESTINATION)
    # DynamoDB asks for a transaction's actions one by one.
    | both(("dynamodb:UpdateItem",), LEDGER)
    | both(READ, TRANSFORMED, PARTIAL, AGGREGATES, QUARANTINED)
    | both(READ, *map(seal, (TRANSFORMED, PARTIAL, AGGREGATES, QUARANTINED)))
    | both(WRITE, QUARANTINED)
    | both(SEAL, seal(QUARANTINED)),
}


def role_of_function(stack: Synthesized, name: str) -> str:
    function = stack.template["Resources"][stack.logical_id("AWS::Lambda::Function", name)]
    return str(function["Properties"]["Role"]["Fn::GetAtt"][0])


def role_of_workflow(stack: Synthesized, name: str = "etl-pipeline") -> str:
    workflow = stack.template["Resources"][stack.logical_id("AWS::StepFunctions::StateMachine", name)]
    return str(workflow["Properties"]["RoleArn"]["Fn::GetAtt"][0])


def role_of_rule(stack: Synthesized, name: str = "etl-daily-schedule") -> str:
    rule = stack.template["Resources"][stack.logical_id("AWS::Events::Rule", name)]
    return str(rule["Properties"]["Targets"][0]["RoleArn"]["Fn::GetAtt"][0])


def roles_of(stack: Synthesized) -> dict[str, list[str]]:
    """All roles that are tested here, by the service that assumes them."""
    return {
        "lambda": [role_of_function(stack, f"etl-{stage}") for stage in STAGES],
        "states": [role_of_workflow(stack, name) for name in MACHINES],
        "events": [role_of_rule(stack, name) for name in RULES],
    }


def allowed_of(stack: Synthesized, role: str) -> set[tuple[str, str]]:
    policies = policies_of(stack, role)
    return {(action, resource) for action in ACTIONS for resource in RESOURCES if policies.allow(action, resource)}


@pytest.mark.parametrize("stage", STAGES)
def test_a_function_may_do_its_own_work_and_nothing_else(stack: Synthesized, stage: str) -> None:
    assert allowed_of(stack, role_of_function(stack, f"etl-{stage}")) == ALLOWED[stage]


def test_settings_widen_no_role(stack: Synthesized, tuned_stack: Synthesized) -> None:
    for stage in STAGES:
        role = role_of_function(stack, f"etl-{stage}")
        assert policies_of(tuned_stack, role) == policies_of(stack, role)


def test_every_action_that_is_granted_is_asked_about(distributed_stack: Synthesized) -> None:
    roles = [role for roles in roles_of(distributed_stack).values() for role in roles]
    granted = {action for role in roles for action in policies_of(distributed_stack, role).actions()}

    assert granted - set(ACTIONS) == set()


def test_the_workflow_may_invoke_record_and_announce(stack: Synthesized) -> None:
    invoke = both(("lambda:InvokeFunction",), *map(function_arn, STAGES))
    record = both(("dynamodb:UpdateItem",), LEDGER) | TELL

    assert allowed_of(stack, role_of_workflow(stack)) == TRACE | SAMPLING | LOG_DELIVERY | invoke | record


@pytest.mark.parametrize("name", ["stack", "distributed_stack"])
def test_the_recorder_may_read_histories_record_and_announce(request: pytest.FixtureRequest, name: str) -> None:
    stack = request.getfixturevalue(name)
    look = both(("states:GetExecutionHistory",), EXECUTION)
    record = both(("dynamodb:UpdateItem",), LEDGER) | TELL

    allowed = allowed_of(stack, role_of_workflow(stack, "etl-pipeline-recorder"))
    assert allowed == TRACE | SAMPLING | LOG_DELIVERY | look | record


def test_the_watch_may_read_the_watermark_and_measure_its_age(stack: Synthesized) -> None:
    look = both(("dynamodb:GetItem",), LEDGER) | both(("states:DescribeStateMachine",), STATE_MACHINE)
    measure = both(("cloudwatch:PutMetricData",), METRICS)

    allowed = allowed_of(stack, role_of_workflow(stack, "etl-pipeline-watch"))
    assert allowed == TRACE | SAMPLING | LOG_DELIVERY | look | measure


def test_distributed_maps_add_executions_of_this_workflow_only(
    stack: Synthesized, distributed_stack: Synthesized
) -> None:
    added = allowed_of(distributed_stack, role_of_workflow(distributed_stack)) - allowed_of(
        stack, role_of_workflow(stack)
    )

    assert added == {
        ("states:StartExecution", STATE_MACHINE),
        ("states:StopExecution", EXECUTION),
        ("states:DescribeExecution", EXECUTION),
        ("states:DescribeExecution", CHILD),
        ("states:RedriveExecution", CHILD),
        ("states:ListMapRuns", EXECUTION),
        ("states:ListExecutions", MAP_RUN),
    }


@pytest.mark.parametrize(("rule", "machine"), [*zip(RULES, (STATE_MACHINE, RECORDER, WATCH), strict=True)])
def test_a_rule_may_start_its_state_machine_alone(stack: Synthesized, rule: str, machine: str) -> None:
    assert allowed_of(stack, role_of_rule(stack, rule)) == {("states:StartExecution", machine)}


def test_every_role_is_tested_but_the_one_that_empties_buckets(stack: Synthesized) -> None:
    tested = {role for roles in roles_of(stack).values() for role in roles}
    others = {name for name in stack.of_type("AWS::IAM::Role") if not name.startswith("CustomS3AutoDeleteObjects")}

    assert others == tested


@pytest.mark.parametrize("service", ["lambda", "states", "events"])
def test_each_role_is_assumed_by_its_service_alone(stack: Synthesized, service: str) -> None:
    for role in roles_of(stack)[service]:
        [trust] = stack.template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}


# A function's ARN isn't in what Lambda assumes a role with. Source: Lambda developer guide, "Defining Lambda function
# permissions with an execution role", whose trust policies have no condition.
ASSUMED_WITHOUT_SOURCE = {"lambda.amazonaws.com"}


def sources(stack: Synthesized, *, distributed: bool) -> dict[str, list[str]]:
    """For each role of a service that tells its source: on behalf of which resource it is to be assumed."""
    prefix = STATE_MACHINE.removesuffix("etl-pipeline")
    machines = {role_of_workflow(stack, name): [f"{prefix}{name}"] for name in MACHINES}
    if distributed:
        machines[role_of_workflow(stack)].append(f"{STATE_MACHINE}/*")
    rules = {role_of_rule(stack, name): [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"] for name in RULES}
    return machines | rules


@pytest.mark.parametrize("kind", ["stack", "distributed_stack"])
def test_each_role_is_assumed_for_its_own_resource_alone(kind: str, request: pytest.FixtureRequest) -> None:
    stack: Synthesized = request.getfixturevalue(kind)
    found = {}
    for name, role in stack.of_type("AWS::IAM::Role").items():
        [trust] = stack.resolve(role["Properties"]["AssumeRolePolicyDocument"]["Statement"])
        assert set(trust) <= {"Action", "Condition", "Effect", "Principal"}
        if trust["Principal"] in [{"Service": service} for service in ASSUMED_WITHOUT_SOURCE]:
            continue
        conditions = dict(trust["Condition"])
        assert conditions.pop("StringEquals") == {"aws:SourceAccount": ACCOUNT}
        [(operator, source)] = conditions.items()
        assert operator in ("ArnEquals", "ArnLike")
        arns = source["aws:SourceArn"]
        found[name] = [arns] if isinstance(arns, str) else arns

    assert found == sources(stack, distributed=kind == "distributed_stack")


@pytest.mark.parametrize(("kind", "name"), [("AWS::S3::BucketPolicy", "s3:*"), ("AWS::SQS::QueuePolicy", "sqs:*")])
def test_access_without_tls_is_denied_to_everyone(stack: Synthesized, kind: str, name: str) -> None:
    [policy] = stack.of_type(kind).values()
    [deny] = [each for each in policy["Properties"]["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]

    assert deny["Action"] == name
    assert deny["Principal"] == {"AWS": "*"}
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_only_the_rules_may_send_to_the_dead_letter_queue(stack: Synthesized) -> None:
    [policy] = stack.of_type("AWS::SQS::QueuePolicy").values()
    allows = [each for each in policy["Properties"]["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]

    assert {(each["Action"], each["Principal"]["Service"]) for each in allows} == {
        ("sqs:SendMessage", "events.amazonaws.com")
    }
    assert [stack.resolve(each["Condition"]) for each in allows] == [
        {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"}}
        for rule in ("etl-pipeline-ended", "etl-daily-schedule")
    ]
