"""The findings of cdk-nag's AwsSolutions pack that this stack accepts, each with its reason."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from aws_cdk import Acknowledgment, CfnElement, Stack, Validations
from constructs import IConstruct

from etl.model.names import Names
from etl.model.stages import MAPS
from serverless_app.constructs.stage_function import StageFunction

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

# For each: the construct's path below the stack, the rule with its finding, and the reason.
_ALWAYS = (
    (
        "StagingBucket",
        "S1",
        "Access logs would need a second bucket that outlives this one. The objects live 30 days, and only three "
        "functions use them. CloudTrail's data events show any other reader.",
    ),
    ("Workflow", "IAM5[Resource::*]", _DELIVERY),
    ("RunRecorder", "IAM5[Resource::*]", _DELIVERY),
    (
        "RunRecorder",
        f"{_STATES}:execution:{{names.state_machine}}:*]",
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

_IF_DISTRIBUTED = (
    *(
        ("Workflow", f"{_STATES}:execution:{{machine_name}}{suffix}:*]", _EXECUTIONS)
        for suffix in ("", *(f"/{stage.state}" for stage in MAPS))
    ),
    ("Workflow", f"{_STATES}:execution:{{names.state_machine}}:*]", _LOOKING),
    ("Workflow", f"{_STATES}:execution:{{names.state_machine}}/*:*]", _LOOKING),
    ("Workflow", f"{_STATES}:mapRun:{{names.state_machine}}/*:*]", _LOOKING),
)


class Acknowledged(NamedTuple):
    """A finding that the stack accepts.

    Attributes:
        path: the path of its construct below the stack.
        id: the rule with the finding.
        reason: the reason to accept it.
    """

    path: str
    id: str
    reason: str


def acknowledge_findings(
    stack: Stack, functions: Iterable[StageFunction], names: Names, *, distributed: bool
) -> Sequence[Acknowledged]:
    """Acknowledge each finding on its own construct, and nowhere else.

    Args:
        stack: the stack.
        functions: its functions with all their grants.
        names: the names of its resources.
        distributed: whether its Maps are Distributed Maps.
    """
    machine = _logical_id(stack, "Workflow/StateMachine/Resource")
    # CDK takes the state machine's name from its ARN, and a finding quotes that expression.
    machine_name = f'{{"Fn::Select":[6,{{"Fn::Split":[":",{{"Ref":"{machine}"}}]}}]}}'
    findings = [
        *_ALWAYS,
        *(finding for function in functions for finding in _of_function(stack, function)),
        *(_IF_DISTRIBUTED if distributed else ()),
    ]
    acknowledged = [
        Acknowledged(path, f"AwsSolutions::AwsSolutions-{rule.format(machine_name=machine_name, names=names)}", reason)
        for path, rule, reason in findings
    ]
    for each in acknowledged:
        Validations.of(_find(stack, each.path)).acknowledge(Acknowledgment(id=each.id, reason=each.reason))
    return acknowledged


def _of_function(stack: Stack, function: StageFunction) -> Iterator[tuple[str, str, str]]:
    path, bucket = function.node.id, _logical_id(stack, "StagingBucket/Resource")
    yield path, "L1", _RUNTIME
    yield path, "IAM5[Resource::*]", _TRACES
    for key in function.granted_keys:
        yield path, f"IAM5[Resource::<{bucket}.Arn>/{key}]", _KEYS
    yield "Workflow", f"IAM5[Resource::<{_logical_id(stack, f'{path}/Function/Resource')}.Arn>:*]", _QUALIFIERS


def _logical_id(stack: Stack, path: str) -> str:
    return stack.get_logical_id(cast(CfnElement, _find(stack, path)))


def _find(stack: Stack, path: str) -> IConstruct:
    """Find the construct at a path below the stack."""
    found: IConstruct = stack
    for name in path.split("/"):
        found = found.node.find_child(name)
    return found
