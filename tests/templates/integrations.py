"""Every call of a service that a state machine makes, against botocore's models of the services.

Step Functions doesn't check these when a state machine is made: a wrong name fails the state when it is reached. It
calls parameters as the service does, with a capital first letter (Step Functions developer guide, "Learning to use AWS
service SDK integrations").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import botocore.session
from botocore.model import OperationModel

_SDK = re.compile(r"arn:[^:]+:states:::aws-sdk:([a-z0-9]+):([a-zA-Z0-9]+)(\.waitForTaskToken)?")
_OPTIMIZED = re.compile(r"arn:[^:]+:states:::([a-z0-9]+):([a-zA-Z0-9]+)(\.waitForTaskToken|\.sync(:2)?)?")
_FUNCTION = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:function:[\w-]+")
# Services that Step Functions' own integrations call otherwise than those of the SDK, which have the Java SDK's names.
_OPTIMIZED_NAMES = {"events": "eventbridge", "states": "sfn"}
# Services that botocore calls otherwise than the Java SDK.
_JAVA_NAMES = {"sfn": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "blob": str,
    "timestamp": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "list": list,
    "map": dict,
    "structure": dict,
}


def problems(definition: Mapping[str, Any]) -> list[str]:
    """Problems of the calls in a state machine's definition, nested Maps included."""
    return [
        f"{name}: {problem}"
        for name, state, jsonata in tasks(definition)
        for problem in _task_problems(state, jsonata=jsonata)
    ]


def tasks(
    definition: Mapping[str, Any], *, language: str = "JSONPath"
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Every task state by its name, and whether it is written in JSONata."""
    language = definition.get("QueryLanguage", language)
    for name, state in definition["States"].items():
        own = state.get("QueryLanguage", language)
        if state["Type"] == "Task":
            yield name, state, own == "JSONata"
        for inner in (*state.get("Branches", ()), *filter(None, (state.get("ItemProcessor"), state.get("Iterator")))):
            yield from tasks(inner, language=own)


def _task_problems(state: Mapping[str, Any], *, jsonata: bool) -> list[str]:
    resource = state["Resource"]
    if _FUNCTION.fullmatch(resource):
        return []
    sdk, optimized = _SDK.fullmatch(resource), _OPTIMIZED.fullmatch(resource)
    found = sdk or optimized
    if not found:
        return [f"{resource} is no function and no integration"]
    service = found[1] if sdk else _OPTIMIZED_NAMES.get(found[1], found[1])
    operation = _operation(service, found[2])
    if isinstance(operation, str):
        return [operation]
    unread = "Parameters" if jsonata else "Arguments"
    if unread in state:
        return [f"{unread} is not read in this query language"]
    given = state.get("Arguments" if jsonata else "Parameters", {})
    if not operation.input_shape:
        return [f"{found[2]} takes no parameters"] if given else []
    return list(_value_problems(operation.input_shape, given, found[2], jsonata=jsonata))


def _operation(service: str, action: str) -> OperationModel | str:
    """An action's model, or the error in its name."""
    session = botocore.session.get_session()
    names = {name.replace("-", ""): name for name in session.get_available_services()}
    name = _JAVA_NAMES.get(service) or names.get(service)
    if not name or service in _JAVA_NAMES.values():
        return f"there is no service {service}"
    model = session.get_service_model(name)
    known = {each[0].lower() + each[1:]: each for each in model.operation_names}
    return model.operation_model(known[action]) if action in known else f"{service} has no action {action}"


def _value_problems(shape: Any, value: Any, path: str, *, jsonata: bool) -> Iterator[str]:
    """Problems of a value; one that is computed can't be known."""
    if jsonata and isinstance(value, str) and value.startswith("{%"):
        return
    kind: str = shape.type_name
    is_it = isinstance(value, _TYPES[kind])
    if not is_it or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path} must be of the type {kind}, got {value!r}"
    elif kind == "structure":
        yield from _structure_problems(shape, value, path, jsonata=jsonata)
    elif kind == "list":
        for number, each in enumerate(value):
            yield from _value_problems(shape.member, each, f"{path}[{number}]", jsonata=jsonata)
    elif kind == "map":
        for name, each in _literal(value, jsonata=jsonata).items():
            yield from _value_problems(shape.value, each, f"{path}.{name}", jsonata=jsonata)
    else:
        yield from _scalar_problems(shape, value, path)


def _structure_problems(shape: Any, value: Mapping[str, Any], path: str, *, jsonata: bool) -> Iterator[str]:
    members = {name[0].upper() + name[1:]: member for name, member in shape.members.items()}
    required = {name[0].upper() + name[1:] for name in shape.required_members}
    given = {name if jsonata else name.removesuffix(".$") for name in value}
    yield from (f"{path} has no parameter {name}" for name in sorted(given - members.keys()))
    yield from (f"{path} lacks {name}" for name in sorted(required - given))
    for name, each in _literal(value, jsonata=jsonata).items():
        if name in members:
            yield from _value_problems(members[name], each, f"{path}.{name}", jsonata=jsonata)


def _literal(value: Mapping[str, Any], *, jsonata: bool) -> dict[str, Any]:
    """Members that aren't taken from the state, for which names in JSONPath end with ``.$``."""
    return {name: each for name, each in value.items() if jsonata or not name.endswith(".$")}


def _scalar_problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind, limits = shape.type_name, shape.metadata
    if kind == "string" and shape.enum and value not in shape.enum:
        yield f"{path} must be one of {', '.join(shape.enum)}, got {value}"
    if kind == "timestamp":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            yield f"{path} must be an instant, got {value}"
    size = len(value) if isinstance(value, str) else value
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{path} must be from {limits.get('min')} to {limits.get('max')}, got {size}"
