"""The event on EventBridge at the end of a run. Step Functions itself puts it there."""

import json

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from etl.model.errors import Reason
from etl.model.names import Names
from etl.model.remedies import REMEDIES, UNFORESEEN

SUCCEEDED, FAILED = "Run Succeeded", "Run Failed"
"""The ends of the detail types; ``Names.event`` makes the whole ones."""

_AGAIN = "start the run again, unless the next scheduled run covers its window"
_TEXTS = {name: remedy.text.format(again=_AGAIN) for name, remedy in REMEDIES.items()}
# An event's remedy follows from the error alone, whichever function can't be loaded. Your code is the likely cause.
_TEXTS |= dict.fromkeys(
    ("Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError"),
    "The function's code can't be loaded: if the cause names transformation.py or a module next to it, correct that "
    f"file; deploy the stack again; then {_AGAIN}.",
)
# By the name of the error, or by the status of a run without one.
REMEDY_TEXTS = {name: text for name, text in _TEXTS.items() if not isinstance(name, Reason) and name[-1] != "."}
REMEDY_OTHERWISE = UNFORESEEN.text.format(again=_AGAIN)

# An event may have 256 KB, and a cause 32,768 characters. Source: EventBridge user guide, "PutEvents event entry size".
MOST_CAUSE = 8000
# The cause of a function's error is a JSON object with an errorMessage for people. A cause that was cut off can't be
# parsed, nor can a text in braces that a person typed.
_CAUSE = (
    "($cause := $states.input.end.cause;"
    " $whole := $substring($cause, 0, 1) = '{' and $substring($cause, -1) = '}';"
    " $parsed := $whole and $contains($cause, '\"errorMessage\"') ? $parse($cause) : {};"
    f" $substring($exists($parsed.errorMessage) ? $parsed.errorMessage : $cause, 0, {MOST_CAUSE}))"
)
_REMEDY = (
    f"($known := $lookup({json.dumps(REMEDY_TEXTS)}, $states.input.end.error);"
    f" $exists($known) ? $known : {json.dumps(REMEDY_OTHERWISE)})"
)
_FAILURE = f"{{% $merge([$states.input.end, {{'cause': {_CAUSE}, 'remedy': {_REMEDY}}}]) %}}"
_SUCCESS = (
    "{% {"
    "'execution': $states.context.Execution.Id, "
    "'status': 'SUCCEEDED', "
    "'run': $states.input.run, "
    "'window': $states.input.window, "
    "'replay': $states.input.replay, "
    "'started_at': $states.context.Execution.StartTime, "
    "'finished_at': $states.context.State.EnteredTime, "
    "'counts': $states.input.counts"
    "} %}"
)


def announce_success(scope: Construct, names: Names) -> tasks.EventBridgePutEvents:
    """Make the state that announces a success. It passes on its input, the run's report."""
    return _announce(scope, "AnnounceSuccess", names, SUCCEEDED, _SUCCESS, "Announce that the run succeeded")


def announce_failure(scope: Construct, name: str, names: Names) -> tasks.EventBridgePutEvents:
    """Make a state that announces a failure, which is in ``$.end``: see ``RunLedger.record``.

    Args:
        scope: the state's scope.
        name: the state's name.
        names: the pipeline's.
    """
    return _announce(scope, name, names, FAILED, names.typed(_FAILURE), "Announce that the run failed, and what to do")


def _announce(
    scope: Construct, name: str, names: Names, end: str, detail: str, comment: str
) -> tasks.EventBridgePutEvents:
    state = tasks.EventBridgePutEvents.jsonata(
        scope,
        name,
        state_name=name,
        comment=comment,
        entries=[
            tasks.EventBridgePutEventsEntry(
                source=names.state_machine, detail_type=names.event(end), detail=sfn.TaskInput.from_text(detail)
            )
        ],
        outputs="{% $states.input %}",
    )
    state.add_retry(errors=[sfn.Errors.ALL], interval=Duration.seconds(1), max_attempts=3, backoff_rate=2)
    return state
