"""The deployed rule, and its target's input for an event."""

from __future__ import annotations

import json
from typing import Any

from tests.pipeline.pipeline import Pipeline

RULE = "etl-daily-schedule"


def as_delivered(pipeline: Pipeline, event: dict[str, Any]) -> Any:
    """Transform an event into the target's input, with the deployed input transformer."""
    (target,) = pipeline.clients.events.list_targets_by_rule(Rule=RULE)["Targets"]
    transformer = target["InputTransformer"]
    template = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        value: Any = event
        for step in path.removeprefix("$.").split("."):
            value = value[step]
        template = template.replace(f'"<{name}>"', json.dumps(value)).replace(f"<{name}>", json.dumps(value))
    return json.loads(template)
