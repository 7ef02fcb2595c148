"""The stages of a run, in their order. Workflow, functions, command and fault suite read this table."""

from typing import NamedTuple

PLAN, EXTRACT, TRANSFORM, GATE, LOAD, FINISH = "plan", "extract", "transform", "gate", "load", "finish"


class Stage(NamedTuple):
    """A stage of a run.

    Attributes:
        state: its name in the state machine, and for people.
        action: its name in a function's event, in S3 keys, in logs and in counts.
        function: the function that runs it, by the module of ``etl`` with its handler. ``Names`` has its whole name.
        doing: its work in a few words, in the present participle.
        is_map: whether it has a worker for each segment. Otherwise it is one invocation.
        stages_records: whether its workers write records under ``{action}/`` in the staging bucket.
    """

    state: str
    action: str
    function: str
    doing: str
    is_map: bool = False
    stages_records: bool = False


STAGES = (
    Stage("Plan", PLAN, "extract", "fixing the window"),
    Stage("Extract", EXTRACT, "extract", "reading the source table", is_map=True, stages_records=True),
    Stage("Transform", TRANSFORM, "transform", "transforming", is_map=True, stages_records=True),
    Stage("Gate", GATE, "transform", "adding up the rejected records"),
    Stage("Load", LOAD, "load", "writing the destination table", is_map=True),
    Stage("Finish", FINISH, "load", "checking the balance"),
)
STATES = tuple(stage.state for stage in STAGES)
ACTIONS = tuple(stage.action for stage in STAGES)
MAPS = tuple(stage for stage in STAGES if stage.is_map)
FUNCTIONS = tuple(dict.fromkeys(stage.function for stage in STAGES))
BY_STATE = {stage.state: stage for stage in STAGES}
BY_ACTION = {stage.action: stage for stage in STAGES}

STAGED = tuple(stage.action for stage in STAGES if stage.stages_records)
"""Actions of the stages that write records to the staging bucket."""
BEFORE_GATE = ACTIONS[: ACTIONS.index(GATE)]
"""Actions of the stages that are over when Gate decides."""


def read_by(action: str) -> str:
    """The action of the stage whose staged records a stage reads: the last one before it that stages any."""
    return [each for each in ACTIONS[: ACTIONS.index(action)] if each in STAGED][-1]


def function_of(state: str) -> str:
    """The function that runs a state; empty for a state that isn't a stage."""
    return BY_STATE[state].function if state in BY_STATE else ""
