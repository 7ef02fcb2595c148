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
    ("Extract", "IAM5[Resource::<{bucket}.Arn>/quarantine/*]", _KEYS),
    ("Transform", "L1", _RUNTIME),
    ("Transform", "IAM5[Resource::*]", _TRACES),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/extract/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/transform/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/transform/*/partials/*]", _KEYS),
    ("Transform", "IAM5[Resource::<{bucket}.Arn>/quarantine/*]", _KEYS),
    ("Load", "L1", _RUNTIME),
    ("Load", "IAM5[Resource::*]", _TRACES),
    ("Load", "IAM5[Resource::<{bucket}.Arn>/transform/*]", _KEYS),
    ("Load", "IAM5[Resource::<{bucket}.Arn>/quarantine/*]", _KEYS),
    ("Workflow", "IAM5[Resource::*]", _DELIVERY),
    ("Workflow", "IAM5[Resource::<{extract}.Arn>:*]", _QUALIFIERS),
    ("Workflow", "IAM5[Resource::<{transform}.Arn>:*]", _QUALIFIERS),
    ("Workflow", "IAM5[Resource::<{load}.Arn>:*]", _QUALIFIERS),
    (
        "DeadLetters",
        "SQS3",
        "This queue is itself a dead-letter queue: that of the rule's target, where the check does not look.",
    ),
)

# The resources that findings name by their logical ids.
_NAMED = {
    "bucket": "StagingBucket/Resource",
    "extract": "Extract/Function/Resource",
    "transform": "Transform/Function/Resource",
    "load": "Load/Function/Resource",
}


def acknowledge_findings(stack: Stack) -> None:
    """Acknowledge each finding on the construct that has it, and nowhere else."""
    ids = {name: stack.get_logical_id(cast(CfnElement, _find(stack, path))) for name, path in _NAMED.items()}
    for path, rule, reason in ACKNOWLEDGED:
        finding = Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule.format(**ids)}", reason=reason)
        Validations.of(_find(stack, path)).acknowledge(finding)


def _find(stack: Stack, path: str) -> IConstruct:
    """Give the construct at ``path`` below the stack."""
    found: IConstruct = stack
    for name in path.split("/"):
        found = found.node.find_child(name)
    return found
