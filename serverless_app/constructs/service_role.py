"""Roles that a service may assume for one named resource, and for no other.

Without a condition, somebody else's resource could make the service use the role. Sources: IAM user guide, "The
confused deputy problem"; EventBridge user guide, "Using IAM policy conditions in Amazon EventBridge", which says that
``aws:SourceArn`` is the rule's ARN; Step Functions developer guide, "Creating an IAM role for your state machine".
"""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


def rule_role(scope: Construct, rule_name: str) -> iam.Role:
    """Make the role with which a rule of EventBridge starts its target.

    Args:
        scope: the construct that makes the rule.
        rule_name: name of the rule, on the default event bus.
    """
    arn = Stack.of(scope).format_arn(service="events", resource="rule", resource_name=rule_name)
    return _role(scope, "EventsRole", "events.amazonaws.com", "ArnEquals", [arn])


def state_machine_role(scope: Construct, name: str, *, distributed: bool = False) -> iam.Role:
    """Make the role of a state machine.

    Args:
        scope: the construct that makes the state machine.
        name: name of the state machine.
        distributed: whether it has Distributed Maps. Each runs its items under its own ARN: the state machine's ARN, a
            slash and the Map's label (Step Functions API reference, StartExecution, "qualified state machine ARN").
    """
    names = [name, f"{name}/*"] if distributed else [name]
    arns = [
        Stack.of(scope).format_arn(
            service="states", resource="stateMachine", resource_name=each, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        for each in names
    ]
    return _role(scope, "Role", "states.amazonaws.com", "ArnLike", arns)


def _role(scope: Construct, construct_id: str, service: str, operator: str, arns: Sequence[str]) -> iam.Role:
    """Make a role. The ARNs are built from names, since the resource itself needs the role first."""
    conditions = {
        operator: {"aws:SourceArn": arns[0] if len(arns) == 1 else arns},
        "StringEquals": {"aws:SourceAccount": Stack.of(scope).account},
    }
    return iam.Role(scope, construct_id, assumed_by=iam.ServicePrincipal(service, conditions=conditions))
