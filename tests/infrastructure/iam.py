"""Evaluates IAM policies as IAM does, as far as this stack's policies go."""

import re
from dataclasses import dataclass
from typing import Any

from tests.infrastructure.synthesis import Synthesized


@dataclass(frozen=True)
class Policies:
    """The statements of a role."""

    statements: list[dict[str, Any]]

    def allow(self, action: str, resource: str) -> bool:
        """Tell whether the role may do ``action`` on the resource of this ARN.

        A list of keys of a bucket is the resource ``arn:aws:s3:::bucket?prefix=the/prefix/``, a namespace of metrics
        is ``*?namespace=Its Name``, and a key that DynamoDB uses for the role is ``arn:…?via=dynamodb…``.
        """
        effects = {each["Effect"] for each in self.statements if _covers(each, action, resource)}
        return effects == {"Allow"}

    def actions(self) -> set[str]:
        """Give the actions, or patterns of actions, that the statements name."""
        return {action for each in self.statements for action in _list(each["Action"])}


def policies_of(stack: Synthesized, role: str) -> Policies:
    """Collect the policies of a role, resolved.

    Args:
        stack: the synthesized stack.
        role: the role's logical id.
    """
    properties = stack.template["Resources"][role]["Properties"]
    assert "ManagedPolicyArns" not in properties, "a managed policy cannot be evaluated from the template"
    attached = [each["Properties"] for each in stack.of_type("AWS::IAM::Policy").values()]
    policies = [each for each in attached if {"Ref": role} in each["Roles"]] + properties.get("Policies", [])
    return Policies([stack.resolve(each) for policy in policies for each in policy["PolicyDocument"]["Statement"]])


def _covers(statement: dict[str, Any], action: str, resource: str) -> bool:
    """Tell whether a statement is about an action on a resource."""
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert not unknown, f"not known to this evaluator: {unknown}"
    resource, _, asked = resource.partition("?")
    if not all(_matches(f"{name}={pattern}", asked) for name, pattern in _conditions(statement.get("Condition", {}))):
        return False
    return any(_matches(pattern, action, re.IGNORECASE) for pattern in _list(statement["Action"])) and any(
        _matches(pattern, resource) for pattern in _list(statement["Resource"])
    )


# The conditions that this stack's policies have: what of a request each is about, and the name of that here.
_CONDITIONS = {
    ("StringLike", "s3:prefix"): "prefix",
    ("StringEquals", "cloudwatch:namespace"): "namespace",
    ("StringEquals", "kms:ViaService"): "via",
}


def _conditions(conditions: dict[str, Any]) -> list[tuple[str, str]]:
    """The names of conditions, with one pattern each."""
    asked = [(operator, key, values) for operator, keys in conditions.items() for key, values in keys.items()]
    for operator, key, values in asked:
        assert (operator, key) in _CONDITIONS, f"not known to this evaluator: {conditions}"
        assert len(_list(values)) == 1, f"not known to this evaluator: {conditions}"
    return [(_CONDITIONS[operator, key], _list(values)[0]) for operator, key, values in asked]


def _matches(pattern: str, text: str, flags: int = 0) -> bool:
    """Match * and ? as IAM does: both also match a slash."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, flags | re.DOTALL) is not None


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
