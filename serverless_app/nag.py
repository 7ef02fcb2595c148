"""The findings of cdk-nag's AwsSolutions pack that this stack lives with, and why."""

from typing import cast

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import IConstruct

_RUNTIME = "The specification fixes Python 3.11, which Lambda supports; a newer runtime is one word in StageFunction."
_TRACES = "X-Ray's PutTraceSegments and PutTelemetryRecords act on no resource: IAM takes only * for them."
_DELIVERY = (
    "X-Ray's actions, and those by which Step Functions sets up the delivery of its logs, act on no resource: "
    "IAM takes only * for them."
)
_KEYS = (
    "The keys of a run hold its timestamp, which a policy cannot know; the role has this verb below this prefix alone, "
    "and a test holds what it may not do."
)
_QUALIFIERS = "The versions and aliases of this one function, which CDK's grant of lambda:InvokeFunction includes."

_EXECUTIONS = (
    "A Distributed Map starts, watches and stops executions of this one state machine, whose ids nobody knows before; "
    "CDK's own grants, as the developer guide asks for them."
)
_LOOKING = (
    "The executions and Map Runs of this one state machine, whose ids nobody knows before; the verbs only read, to "
    "find the error of the segment that failed."
)
_STATES = "IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"

# Path of the construct below the stack, the rule with its finding, the reason.
ACKNOWLEDGED = (
    (
        "StagingBucket",
        "S1",
        "Access logs would need a second bucket that outlives this one. The objects live 30 days, and three functions "
        "read and write them; who else should be seen in CloudTrail's data events.",
    ),
    ("Extract", "L1", _RUNTIME),
    ("Extract", "IAM5[Resource::*]", _TRACES),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/extract/*]", _KEYS),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/extract/*/run.json]", _KEYS),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/extract/*/replayed.json]", _KEYS),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/seals/extract/*/replayed.json]", _KEYS),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/quarantine/*]", _KEYS),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/seals/extract/*]", _KEYS),
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/seals/quarantine/*]", _KEYS),
    ("Transform", "L1", _RUNTIME),
    ("Transform", "IAM5[Resource::*]", _TRACES),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/extract/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/transform/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/transform/*/partials/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/quarantine/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/seals/extract/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/seals/transform/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/seals/transform/*/partials/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/seals/quarantine/*]", _KEYS),
    ("Load", "L1", _RUNTIME),
    ("Load", "IAM5[Resource::*]", _TRACES),
    ("Load", "IAM5[Resource::<{bucket}.Arn>/transform/*]", _KEYS),
    ("Load", "IAM5[Resource::<{bucket}.Arn>/quarantine/*]", _KEYS),
    ("Load", "IAM5[Resource::<{bucket}.Arn>/seals/transform/*]", _KEYS),
    ("Load", "IAM5[Resource::<{bucket}.Arn>/seals/quarantine/*]", _KEYS),
    ("Workflow", "IAM5[Resource::*]", _DELIVERY),
    ("Workflow", "IAM5[Resource::<{extract}.Arn>:*]", _QUALIFIERS),
    ("Workflow", "IAM5[Resource::<{transform}.Arn>:*]", _QUALIFIERS),
    ("Workflow", "IAM5[Resource::<{load}.Arn>:*]", _QUALIFIERS),
    ("RunRecorder", "IAM5[Resource::*]", _DELIVERY),
    (
        "RunRecorder",
        f"{_STATES}:execution:etl-pipeline:*]",
        "The history of the pipeline's executions, whose ids nobody knows before; the verb only reads.",
    ),
    (
        "WatermarkWatch",
        "IAM5[Resource::*]",
        "CloudWatch's PutMetricData acts on no resource: the role has it for the pipeline's own namespace alone. So do "
        "X-Ray's actions, and those by which Step Functions sets up the delivery of its logs.",
    ),
    (
        "DeadLetters",
        "SQS3",
        "This queue is itself a dead-letter queue: that of the rule's target, where the check does not look.",
    ),
)

# What Distributed Maps add.
ACKNOWLEDGED_IF_DISTRIBUTED = (
    *(
        ("Workflow", f"{_STATES}:execution:{{machine_name}}{suffix}:*]", _EXECUTIONS)
        for suffix in ("", "/Extract", "/Transform", "/Load")
    ),
    ("Workflow", f"{_STATES}:execution:etl-pipeline:*]", _LOOKING),
    ("Workflow", f"{_STATES}:execution:etl-pipeline/*:*]", _LOOKING),
    ("Workflow", f"{_STATES}:mapRun:etl-pipeline/*:*]", _LOOKING),
)

# The resources that findings name by their logical ids.
_NAMED = {
    "bucket": "StagingBucket/Resource",
    "extract": "Extract/Function/Resource",
    "transform": "Transform/Function/Resource",
    "load": "Load/Function/Resource",
    "machine": "Workflow/StateMachine/Resource",
}


def acknowledge_findings(stack: Stack, *, distributed: bool) -> None:
    """Acknowledge each finding on the construct that has it, and nowhere else.

    Args:
        stack: the stack.
        distributed: whether its Maps are Distributed Maps.
    """
    ids = {name: stack.get_logical_id(cast(CfnElement, _find(stack, path))) for name, path in _NAMED.items()}
    # CDK takes the state machine's name out of its ARN, and a finding quotes how.
    ids["machine_name"] = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{ids["machine"]}"}}]}}]}}'
    for path, rule, reason in ACKNOWLEDGED + (ACKNOWLEDGED_IF_DISTRIBUTED if distributed else ()):
        finding = Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule.format(**ids)}", reason=reason)
        Validations.of(_find(stack, path)).acknowledge(finding)


def _find(stack: Stack, path: str) -> IConstruct:
    """Give the construct at ``path`` below the stack."""
    found: IConstruct = stack
    for name in path.split("/"):
        found = found.node.find_child(name)
    return found
