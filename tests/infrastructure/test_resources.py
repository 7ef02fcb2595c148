"""Names, numbers and outputs of the specification, and the data after the stack is destroyed."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk.assertions import Template

from etl.model.names import ETL
from etl.model.stages import STATES
from etl_cli.doctor.stack_findings import IDENTIFIERS, obstacles
from serverless_app.settings import PipelineSettings
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized, synthesize
from tests.support import ROOT

README = (ROOT / "README.md").read_text()
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()

BUCKET = f"etl-staging-{ACCOUNT}-{REGION}"
DATA = {
    "AWS::S3::Bucket": [BUCKET],
    "AWS::DynamoDB::Table": ["etl-source-data", "etl-destination-data", "etl-run-ledger"],
}


def template_of(stack: Synthesized) -> Template:
    return Template.from_json(stack.template)


def test_logical_ids_of_what_holds_data_or_a_name_are_frozen(stack: Synthesized) -> None:
    """A changed logical id makes CloudFormation replace the resource, and its data would be lost."""
    assert {name: each["Type"] for name, each in stack.template["Resources"].items()}.items() >= {
        "StagingBucket9644C37C": "AWS::S3::Bucket",
        "SourceTable70380C26": "AWS::DynamoDB::Table",
        "DestinationTableE41E7513": "AWS::DynamoDB::Table",
        "RunLedgerTable3162D107": "AWS::DynamoDB::Table",
        "DeadLettersBBF8BAAB": "AWS::SQS::Queue",
        "ExtractFunction2BADC636": "AWS::Lambda::Function",
        "TransformFunction58095C87": "AWS::Lambda::Function",
        "LoadFunctionE08EF68C": "AWS::Lambda::Function",
        "ExtractLogs56BFE9EB": "AWS::Logs::LogGroup",
        "TransformLogs6C6200D4": "AWS::Logs::LogGroup",
        "LoadLogsFED4C05A": "AWS::Logs::LogGroup",
        "WorkflowLogs8B0907C7": "AWS::Logs::LogGroup",
        "WorkflowStateMachine8F1B1C15": "AWS::StepFunctions::StateMachine",
        "DailySchedule68BF5767": "AWS::Events::Rule",
        "RunRecorderLogs0853A091": "AWS::Logs::LogGroup",
        "RunRecorderStateMachineA9DAF180": "AWS::StepFunctions::StateMachine",
        "RunRecorderEnded82DEE9FA": "AWS::Events::Rule",
        "WatermarkWatchLogs039FDCB3": "AWS::Logs::LogGroup",
        "WatermarkWatchStateMachineE201E1CB": "AWS::StepFunctions::StateMachine",
        "WatermarkWatchRule9F5D98E2": "AWS::Events::Rule",
        "MonitoringAlarmsTopic63051086": "AWS::SNS::Topic",
        "Dashboard7A714131": "AWS::CloudWatch::Dashboard",
    }.items()


def test_the_command_knows_the_obstacles_of_a_deployment(stack: Synthesized) -> None:
    """These resources hold data, or a late writer creates them again. They are imported by their logical ids."""
    named = {
        "AWS::DynamoDB::Table": "TableName",
        "AWS::S3::Bucket": "BucketName",
        "AWS::Logs::LogGroup": "LogGroupName",
    }
    possible = obstacles(ETL, ETL.staging_bucket(ACCOUNT, REGION))
    known = {each.logical_id: (IDENTIFIERS[each.kind], each.name) for each in possible}
    made = {}
    for kind, identifier in named.items():
        for logical_id, each in stack.of_type(kind).items():
            made[logical_id] = (identifier, stack.resolve(each["Properties"][identifier]))

    assert made == known


def test_the_staging_bucket_is_named_after_account_and_region(stack: Synthesized) -> None:
    assert stack.logical_id("AWS::S3::Bucket", BUCKET) == "StagingBucket9644C37C"


def test_staged_objects_expire_after_30_days_uploads_after_one(stack: Synthesized) -> None:
    template_of(stack).has_resource_properties(
        "AWS::S3::Bucket",
        {
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "expire",
                        "Status": "Enabled",
                        "ExpirationInDays": 30,
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            }
        },
    )


def test_the_staging_bucket_is_private_and_encrypted(stack: Synthesized) -> None:
    template_of(stack).has_resource_properties(
        "AWS::S3::Bucket",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        },
    )


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("etl-source-data", {"id": ("S", "HASH")}),
        ("etl-destination-data", {"id": ("S", "HASH"), "timestamp": ("S", "RANGE")}),
        ("etl-run-ledger", {"kind": ("S", "HASH"), "id": ("S", "RANGE")}),
    ],
)
def test_tables_have_their_keys_and_are_billed_on_demand(
    stack: Synthesized, name: str, keys: dict[str, tuple[str, str]]
) -> None:
    table = stack.named("AWS::DynamoDB::Table", name)

    assert {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]} == {
        key: kind for key, (kind, _) in keys.items()
    }
    assert [(each["AttributeName"], each["KeyType"]) for each in table["KeySchema"]] == [
        (key, role) for key, (_, role) in keys.items()
    ]
    assert table["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.parametrize("name", DATA["AWS::DynamoDB::Table"])
def test_tables_are_recoverable_and_use_the_key_of_dynamodb(stack: Synthesized, name: str) -> None:
    table = stack.named("AWS::DynamoDB::Table", name)

    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": False}


@pytest.mark.parametrize("stage", ["extract", "transform", "load"])
def test_functions_have_the_specified_runtime_memory_and_timeout(stack: Synthesized, stage: str) -> None:
    function = stack.named("AWS::Lambda::Function", f"etl-{stage}")

    assert function["Runtime"] == "python3.11"
    assert function["MemorySize"] == 512  # of the specification
    assert function["Timeout"] == 300
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["Architectures"] == ["x86_64"]


@pytest.mark.parametrize("stage", ["extract", "transform", "load"])
def test_functions_write_text_to_their_own_log_groups(stack: Synthesized, stage: str) -> None:
    function = stack.named("AWS::Lambda::Function", f"etl-{stage}")

    assert function["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/etl-{stage}"}


def test_functions_share_one_asset(stack: Synthesized) -> None:
    assert len({stack.asset(f"etl-{stage}") for stage in ("extract", "transform", "load")}) == 1


@pytest.mark.parametrize(
    "name",
    [
        "/aws/lambda/etl-extract",
        "/aws/lambda/etl-transform",
        "/aws/lambda/etl-load",
        "/aws/vendedlogs/states/etl-pipeline",
        "/aws/vendedlogs/states/etl-pipeline-recorder",
        "/aws/vendedlogs/states/etl-pipeline-watch",
    ],
)
def test_logs_have_the_retention_of_the_settings(stack: Synthesized, tuned_stack: Synthesized, name: str) -> None:
    for each, days in ((stack, 30), (tuned_stack, 90)):
        group = each.template["Resources"][each.logical_id("AWS::Logs::LogGroup", name)]
        assert group["Properties"]["RetentionInDays"] == days
        assert group["DeletionPolicy"] == "Delete"


def test_outputs_are_those_of_the_specification(stack: Synthesized) -> None:
    outputs = stack.template["Outputs"]

    assert {name: stack.resolve(output["Value"]) for name, output in outputs.items()} == {
        "SourceTableName": "etl-source-data",
        "DestinationTableName": "etl-destination-data",
        "StagingBucketName": BUCKET,
        "StateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:etl-pipeline",
    }
    assert all(output["Description"] for output in outputs.values())


def resources_with_data(stack: Synthesized) -> list[dict[str, Any]]:
    ids = [stack.logical_id(kind, name) for kind, names in DATA.items() for name in names]
    return [stack.template["Resources"][logical_id] for logical_id in ids]


def test_destroying_the_stack_removes_all_data_by_default(stack: Synthesized) -> None:
    assert {each["DeletionPolicy"] for each in resources_with_data(stack)} == {"Delete"}
    template_of(stack).has_resource_properties(
        "Custom::S3AutoDeleteObjects", {"BucketName": {"Ref": "StagingBucket9644C37C"}}
    )


def test_retain_keeps_all_data(tuned_stack: Synthesized) -> None:
    policies = {(each["DeletionPolicy"], each["UpdateReplacePolicy"]) for each in resources_with_data(tuned_stack)}

    assert policies == {("Retain", "Retain")}
    assert tag_of_the_handler(tuned_stack) == "false"


def tag_of_the_handler(stack: Synthesized) -> str:
    """The tag that decides whether CDK's handler empties the bucket."""
    tags = {tag["Key"]: tag["Value"] for tag in stack.named("AWS::S3::Bucket", BUCKET)["Tags"]}
    return str(tags["aws-cdk:auto-delete-objects"])


def test_destroy_and_retain_have_the_same_resources(
    stack: Synthesized, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """CloudFormation would remove the grant of the handler before its custom resource."""
    folder = tmp_path_factory.mktemp("retain") / "cdk.out"
    retaining = synthesize(folder, settings=PipelineSettings(removal_policy="retain"))
    before, after = stack.template["Resources"], retaining.template["Resources"]
    changed = {name for name in before | after if before.get(name) != after.get(name)}

    assert before.keys() == after.keys()
    assert changed == {retaining.logical_id(kind, name) for kind, names in DATA.items() for name in names}
    (before_tag, after_tag) = (tag_of_the_handler(each) for each in (stack, retaining))
    assert (before_tag, after_tag) == ("true", "false")


def test_only_the_data_is_ever_retained(tuned_stack: Synthesized) -> None:
    retained = {
        name for name, each in tuned_stack.template["Resources"].items() if each.get("DeletionPolicy") == "Retain"
    }

    assert retained == {
        "StagingBucket9644C37C",
        "SourceTable70380C26",
        "DestinationTableE41E7513",
        "RunLedgerTable3162D107",
    }


def test_the_runbook_lists_what_a_destroyed_stack_leaves(stack: Synthesized) -> None:
    section = RUNBOOK.partition("## What stays after `cdk destroy`\n")[2].partition("\n## ")[0]
    functions = stack.of_type("AWS::Lambda::Function")
    # Lambda creates the log group of a function that names none, and CloudFormation doesn't know it.
    (without_group,) = [name for name, each in functions.items() if "LoggingConfig" not in each["Properties"]]
    (key,) = stack.of_type("AWS::KMS::Key").values()
    recovery = {
        each["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        for each in (stack.of_type("AWS::DynamoDB::Table").values())
    }
    metrics = {
        each["Properties"]["MetricTransformations"][0]["MetricNamespace"]
        for each in (stack.of_type("AWS::Logs::MetricFilter").values())
    }

    assert without_group.startswith("CustomS3AutoDelete")
    assert "| `/aws/lambda/EtlPipelineStack-CustomS3AutoDelete…` |" in section
    assert f"| KMS key of the alarms' topic | {key['Properties']['PendingWindowInDays']} days |" in section
    assert recovery == {True}
    assert "| system backups of the tables | 35 days |" in section
    assert {f"`{name}`" in section for name in metrics} == {True}


def test_a_caught_failure_ends_in_a_fail_state_as_in_readme(stack: Synthesized) -> None:
    states = stack.definition["States"]

    def end_of(name: str) -> str:
        while "Next" in states[name]:
            name = states[name]["Next"]
        return str(states[name]["Type"])

    assert {end_of(each["Next"]) for name in STATES for each in states[name]["Catch"]} == {"Fail"}
    assert "ended in a Fail state" in README
