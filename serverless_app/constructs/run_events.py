"""The event on EventBridge at the end of a run. Step Functions itself puts it there."""

import json

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from etl.model.errors import NAMES, Reason
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
REASON_TEXTS = {str(name): text for name, text in _TEXTS.items() if isinstance(name, Reason)}
# By the name of the error, by the status of a run without one, or by the first part of the error's name: ``States.``.
REMEDY_TEXTS = {name: text for name, text in _TEXTS.items() if not isinstance(name, Reason)}
REMEDY_OTHERWISE = UNFORESEEN.text.format(again=_AGAIN)

# An event may have 256 KB, and a cause 32,768 characters. Source: EventBridge user guide, "PutEvents event entry size".
MOST_CAUSE = 8000
# The cause of a function's error is a JSON object with an errorMessage for people. A cause that was cut off can't be
# parsed, nor can a text in braces that a person typed.
_MESSAGE = (
    "($cause := $states.input.end.cause;"
    " $whole := $substring($cause, 0, 1) = '{' and $substring($cause, -1) = '}';"
    " $parsed := $whole and $contains($cause, '\"errorMessage\"') ? $parse($cause) : {};"
    " $exists($parsed.errorMessage) ? $parsed.errorMessage : $cause)"
)
# The same as etl.model.errors.reason_of and etl.model.remedies.remedy_for, but for your code's own errors.
_REMEDY = (
    "($error := $states.input.end.error;"
    " $end := $split($message, ' [')[-1];"
    f" $ours := $error in {json.dumps(sorted(NAMES))} and $contains($message, ' [') and $substring($end, -1) = ']';"
    f" $reasons := $ours ? {json.dumps(REASON_TEXTS)} : {{}};"
    f" $texts := {json.dumps(REMEDY_TEXTS)};"
    " $found := [$lookup($reasons, $substring($end, 0, $length($end) - 1)), $lookup($texts, $error),"
    " $lookup($texts, $substringBefore($error, '.') & '.')];"
    f" $exists($found[0]) ? $found[0] : {json.dumps(REMEDY_OTHERWISE)})"
)
_FAILURE = (
    f"{{% ($message := {_MESSAGE};"
    f" $merge([$states.input.end, {{'cause': $substring($message, 0, {MOST_CAUSE}), 'remedy': {_REMEDY}}}])) %}}"
)
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
