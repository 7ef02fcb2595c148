"""Events of an execution's history, as GetExecutionHistory returns them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Event = Mapping[str, Any]

# Lambda's own resource and a plain task have different names for the same events.
CALL_SCHEDULED = ("LambdaFunctionScheduled", "TaskScheduled")
CALL_SUCCEEDED = ("LambdaFunctionSucceeded", "TaskSucceeded")
CALL_FAILED = (
    "LambdaFunctionFailed",
    "LambdaFunctionStartFailed",
    "LambdaFunctionTimedOut",
    "TaskFailed",
    "TaskStartFailed",
    "TaskTimedOut",
)
# Lambda had no capacity: no code has run, and Step Functions tries again for as long as the run has time.
_NO_CAPACITY = "Lambda.TooManyRequestsException"


def details_of(event: Event) -> Event:
    """The details of an event, which have a key for each type: ``taskFailedEventDetails``."""
    kind: str = event["type"]
    return event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}


def error_of(event: Event) -> str:
    """The error that an event names; empty if it names none."""
    return str(details_of(event).get("error") or "")


def is_throttled(event: Event) -> bool:
    """Whether Lambda had no capacity to start a function."""
    return event["type"] in CALL_FAILED and error_of(event) == _NO_CAPACITY


def output_of(details: Event | None) -> dict[str, Any]:
    """The JSON object in ``output``; empty if there is none, or if it is cut off."""
    try:
        output = json.loads((details or {}).get("output") or "{}")
    except ValueError:
        return {}
    return output if isinstance(output, dict) else {}
