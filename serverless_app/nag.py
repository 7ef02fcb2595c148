"""The findings of cdk-nag's AwsSolutions pack that this stack accepts, each with its reason."""

from typing import cast

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import IConstruct

from etl.model.names import STATE_MACHINE
from etl.model.stages import MAPS

_RUNTIME = "The specification fixes Python 3.11, which Lambda supports; StageFunction names the runtime once."
_TRACES = "X-Ray's PutTraceSegments and PutTelemetryRecords act on no resource: IAM takes only * for them."
_DELIVERY = (
    "X-Ray's actions act on no resource, and neither do the actions with which Step Functions sets up the delivery of "
    "its logs: IAM takes only * for them."
)
_KEYS = (
    "The keys of a run hold its id, which a policy can't know. The role has this verb below this prefix only, and a "
    "test checks the verbs that it lacks."
)
_QUALIFIERS = "The versions and aliases of this one function, which CDK's grant of lambda:InvokeFunction includes."
_EXECUTIONS = (
    "A Distributed Map starts, watches and stops executions of this one state machine, whose ids are unknown at "
    "deployment. These are CDK's own grants, which the developer guide asks for."
)
_LOOKING = (
    "The executions and Map Runs of this one state machine, whose ids are unknown at deployment. The verbs only read, "
    "to find the error of the failed segment."
)
_STATES = "IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"

# The patterns of keys that each function has in its grants.
_GRANTED_KEYS = {
    "Extract": (
        *("extract/*", "extract/*/run.json", "extract/*/replayed.json", "quarantine/*"),
        *("seals/extract/*", "seals/extract/*/replayed.json", "seals/quarantine/*"),
    ),
    "Transform": (
        *("extract/*", "transform/*", "transform/*/partials/*", "quarantine/*"),
        *("seals/extract/*", "seals/transform/*", "seals/transform/*/partials/*", "seals/quarantine/*"),
    ),
    "Load": ("transform/*", "quarantine/*", "seals/transform/*", "seals/quarantine/*"),
}

# For each: the construct's path below the stack, the rule with its finding, and the reason.
ACKNOWLEDGED = (
    (
        "StagingBucket",
        "S1",
        "Access logs would need a second bucket that outlives this one. The objects live 30 days, and only three "
        "functions use them. CloudTrail's data events show any other reader.",
    ),
    *((function, "L1", _RUNTIME) for function in _GRANTED_KEYS),
    *((function, "IAM5[Resource::*]", _TRACES) for function in _GRANTED_KEYS),
    *(
        (function, f"IAM5[Resource::<{{bucket}}.Arn>/{key}]", _KEYS)
        for function, keys in _GRANTED_KEYS.items()
        for key in keys
    ),
    *(("Workflow", f"IAM5[Resource::<{{{function}}}.Arn>:*]", _QUALIFIERS) for function in _GRANTED_KEYS),
    ("Workflow", "IAM5[Resource::*]", _DELIVERY),
    ("RunRecorder", "IAM5[Resource::*]", _DELIVERY),
    (
        "RunRecorder",
        f"{_STATES}:execution:{STATE_MACHINE}:*]",
        "The history of the pipeline's executions, whose ids are unknown at deployment. The verb only reads.",
    ),
    (
        "WatermarkWatch",
        "IAM5[Resource::*]",
        "CloudWatch's PutMetricData acts on no resource: the role has it for the pipeline's own namespace only. "
        + _DELIVERY,
    ),
    (
        "DeadLetters",
        "SQS3",
        "This queue is the dead-letter queue of the rule's target. The check doesn't look there.",
    ),
)

# Only with Distributed Maps.
ACKNOWLEDGED_IF_DISTRIBUTED = (
    *(
        ("Workflow", f"{_STATES}:execution:{{machine_name}}{suffix}:*]", _EXECUTIONS)
        for suffix in ("", *(f"/{stage.state}" for stage in MAPS))
    ),
    ("Workflow", f"{_STATES}:execution:{STATE_MACHINE}:*]", _LOOKING),
    ("Workflow", f"{_STATES}:execution:{STATE_MACHINE}/*:*]", _LOOKING),
    ("Workflow", f"{_STATES}:mapRun:{STATE_MACHINE}/*:*]", _LOOKING),
)

# The resources whose logical ids are in findings.
_NAMED = {
    "bucket": "StagingBucket/Resource",
    **{function: f"{function}/Function/Resource" for function in _GRANTED_KEYS},
    "machine": "Workflow/StateMachine/Resource",
}


def acknowledge_findings(stack: Stack, *, distributed: bool) -> None:
    """Acknowledge each finding on its own construct, and nowhere else.

    Args:
        stack: the stack.
        distributed: whether its Maps are Distributed Maps.
    """
    ids = {name: stack.get_logical_id(cast(CfnElement, _find(stack, path))) for name, path in _NAMED.items()}
    # CDK takes the state machine's name from its ARN, and a finding quotes that expression.
    ids["machine_name"] = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{ids["machine"]}"}}]}}]}}'
    for path, rule, reason in ACKNOWLEDGED + (ACKNOWLEDGED_IF_DISTRIBUTED if distributed else ()):
        finding = Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule.format(**ids)}", reason=reason)
        Validations.of(_find(stack, path)).acknowledge(finding)


def _find(stack: Stack, path: str) -> IConstruct:
    """Find the construct at a path below the stack."""
    found: IConstruct = stack
    for name in path.split("/"):
        found = found.node.find_child(name)
    return found
