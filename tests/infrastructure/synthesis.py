"""Synthesizes the stack as the CDK CLI would, and reads the result as if it were deployed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from serverless_app.nag import Acknowledged
from serverless_app.settings import PipelineSettings
from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT, REGION, PARTITION = "111122223333", "eu-west-1", "aws"

_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": PARTITION,
    "AWS::URLSuffix": "amazonaws.com",
}

# Property with the name, and the ARN of a resource with that name.
_ARNS = {
    "AWS::S3::Bucket": ("BucketName", f"arn:{PARTITION}:s3:::{{}}"),
    "AWS::DynamoDB::Table": ("TableName", f"arn:{PARTITION}:dynamodb:{REGION}:{ACCOUNT}:table/{{}}"),
    "AWS::Lambda::Function": ("FunctionName", f"arn:{PARTITION}:lambda:{REGION}:{ACCOUNT}:function:{{}}"),
    "AWS::Logs::LogGroup": ("LogGroupName", f"arn:{PARTITION}:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*"),
    "AWS::IAM::Role": ("RoleName", f"arn:{PARTITION}:iam::{ACCOUNT}:role/{{}}"),
    "AWS::SQS::Queue": ("QueueName", f"arn:{PARTITION}:sqs:{REGION}:{ACCOUNT}:{{}}"),
    "AWS::SNS::Topic": ("TopicName", f"arn:{PARTITION}:sns:{REGION}:{ACCOUNT}:{{}}"),
    "AWS::CloudWatch::Alarm": ("AlarmName", f"arn:{PARTITION}:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{}}"),
    "AWS::CloudWatch::Dashboard": ("DashboardName", f"arn:{PARTITION}:cloudwatch::{ACCOUNT}:dashboard/{{}}"),
    "AWS::KMS::Key": ("KeyId", f"arn:{PARTITION}:kms:{REGION}:{ACCOUNT}:key/{{}}"),
    "AWS::Events::Rule": ("Name", f"arn:{PARTITION}:events:{REGION}:{ACCOUNT}:rule/{{}}"),
    "AWS::StepFunctions::StateMachine": (
        "StateMachineName",
        f"arn:{PARTITION}:states:{REGION}:{ACCOUNT}:stateMachine:{{}}",
    ),
}
_REF_IS_ARN = ("AWS::StepFunctions::StateMachine", "AWS::SNS::Topic")


@dataclass(frozen=True)
class Synthesized:
    """A synthesized stack.

    Attributes:
        template: the template.
        nag: the report of cdk-nag.
        assembly: the folder of the cloud assembly.
        acknowledged: the findings of cdk-nag that the stack acknowledges.
    """

    template: dict[str, Any]
    nag: dict[str, Any]
    assembly: Path
    acknowledged: Sequence[Acknowledged]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Give the resources of a type by their logical ids."""
        return {name: each for name, each in self.template["Resources"].items() if each["Type"] == kind}

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """Give the resolved properties of the resource that has this physical name."""
        return self.resolve(self.template["Resources"][self.logical_id(kind, name)]["Properties"])  # type: ignore[no-any-return]

    def logical_id(self, kind: str, name: str) -> str:
        """Give the logical id of the resource that has this physical name."""
        found = [logical_id for logical_id in self.of_type(kind) if self._name(logical_id) == name]
        assert len(found) == 1, f"{len(found)} resources of type {kind} are named {name}"
        return found[0]

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The state machine's definition."""
        definition: dict[str, Any] = json.loads(
            self.named("AWS::StepFunctions::StateMachine", "etl-pipeline")["DefinitionString"]
        )
        return definition

    def environment(self, function: str) -> dict[str, str]:
        """Give the environment variables of a function."""
        variables: dict[str, str] = self.named("AWS::Lambda::Function", function)["Environment"]["Variables"]
        return variables

    def asset(self, function: str) -> Path:
        """Give the folder with a function's code."""
        metadata = self.template["Resources"][self.logical_id("AWS::Lambda::Function", function)]["Metadata"]
        return self.assembly / str(metadata["aws:asset:path"])

    def resolve(self, value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
        """Replace the references in a value by their values after a deployment."""
        match value:
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(self.resolve(part) for part in parts)
            case {"Fn::Select": [int(index), {"Fn::Split": [str(separator), whole]}]}:
                return str(self.resolve(whole)).split(separator)[index]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", lambda name: self._ref(name[1]), text)
            case dict():
                assert not any(key.startswith("Fn::") for key in value), f"not known to this helper: {value}"
                return {key: self.resolve(each) for key, each in value.items()}
            case list():
                return [self.resolve(each) for each in value]
            case _:
                return value

    def _name(self, logical_id: str) -> str:
        resource = self.template["Resources"][logical_id]
        return str(self.resolve(resource.get("Properties", {}).get(_ARNS[resource["Type"]][0], logical_id)))

    def _ref(self, name: str) -> str:
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        kind = self.template["Resources"][name]["Type"]
        return self._attribute(name, "Arn") if kind in _REF_IS_ARN else self._name(name)

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute == "QueueName":
            return self._name(name)
        assert attribute in ("Arn", "TopicArn"), f"not known to this helper: {attribute} of {name}"
        return _ARNS[self.template["Resources"][name]["Type"]][1].format(self._name(name))


def synthesize(
    folder: Path, *, settings: PipelineSettings | None = None, context: Mapping[str, Any] | None = None
) -> Synthesized:
    """Synthesize the stack with the feature flags of cdk.json.

    Args:
        folder: the folder of the cloud assembly.
        settings: passed to the stack.
        context: as from ``cdk -c``.
    """
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    told_by_cli = {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}
    app = App(outdir=str(folder), context={**flags, **told_by_cli, **(context or {})}, analytics_reporting=False)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    stack = EtlPipelineStack(app, "EtlPipelineStack", settings=settings)
    try:
        app.synth()
    except RuntimeError as error:  # The report has the findings, for the tests of them.
        if "ValidationFailed" not in str(error):
            raise
    template = json.loads((folder / "EtlPipelineStack.template.json").read_text())
    return Synthesized(template, nag_report(folder), folder, stack.acknowledged)


def nag_report(assembly: Path) -> dict[str, Any]:
    """Read the report of cdk-nag in a cloud assembly."""
    reports = json.loads((assembly / "validation-report.json").read_text())["pluginReports"]
    [report] = [report for report in reports if report["pluginName"] == "AwsSolutions"]
    return dict(report)
