"""The stages of a run, in their order. Workflow, command, metrics, reports and the fault suite read this table."""

from typing import NamedTuple


class Stage(NamedTuple):
    """A stage.

    Attributes:
        state: its name in the state machine, and for people.
        action: its name in a function's event, in S3 keys, logs and counts.
        function: the function that runs it.
        is_map: whether it has a worker for each segment; otherwise it is one invocation.
    """

    state: str
    action: str
    function: str
    is_map: bool


STAGES = (
    Stage("Plan", "plan", "etl-extract", is_map=False),
    Stage("Extract", "extract", "etl-extract", is_map=True),
    Stage("Transform", "transform", "etl-transform", is_map=True),
    Stage("Gate", "gate", "etl-transform", is_map=False),
    Stage("Load", "load", "etl-load", is_map=True),
    Stage("Finish", "finish", "etl-load", is_map=False),
)
STATES = tuple(stage.state for stage in STAGES)
MAPS = tuple(stage for stage in STAGES if stage.is_map)
FUNCTIONS = tuple(dict.fromkeys(stage.function for stage in STAGES))
BY_STATE = {stage.state: stage for stage in STAGES}
BY_ACTION = {stage.action: stage for stage in STAGES}

EXTRACT, TRANSFORM, LOAD = (stage.action for stage in MAPS)
"""Actions of the stages that stage records."""
