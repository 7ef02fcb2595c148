"""The end of a run as an event on EventBridge, put there by Step Functions itself."""

import json

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

SOURCE = "etl-pipeline"
SUCCEEDED = "ETL Pipeline Run Succeeded"
FAILED = "ETL Pipeline Run Failed"

_AGAIN = "The next scheduled run covers the window; a backfill has to be started again."
_TOO_LONG = f"The run took longer than the state machine allows: docs/scaling.md says what to raise. {_AGAIN}"
_IMPORTED = f"The function's code can't be loaded: correct pipelines/etl/transformation.py and deploy. {_AGAIN}"
_WINDOW_AGAIN = "Start a new run of the window, or leave it to the next scheduled run, which covers it."
# By the name of the error. The functions' own are those of runtime/etl/model/errors.py.
REMEDIES = {
    "InputError": "Correct the field of the execution's input that the cause names, and start it again.",
    "CatchUpError": "Run the window that the cause names; then the schedule goes on by itself.",
    "ConfigurationError": (
        f"Deploy the stack again: a setting, a resource or a permission is not as it should be. {_AGAIN}"
    ),
    "CodeChangedError": f"Somebody deployed during the run. {_AGAIN}",
    "TransformationError": (
        f"Correct pipelines/etl/transformation.py, or the setting that the cause names, and deploy. {_AGAIN}"
    ),
    "QualityGateError": (
        "Look at what lies in the run's quarantine, and correct the data or the transformation: nothing of the window "
        f"is loaded until then. {_AGAIN}"
    ),
    "StagingError": f"A staged object was changed, cut off or removed. {_WINDOW_AGAIN}",
    "BalanceError": f"What went into a stage is not what came out of it. {_WINDOW_AGAIN}",
    "UnexpectedError": f"The functions' own code failed: the log of the stage's function shows where. {_AGAIN}",
    "TransientError": (f"Look at the throttling of the tables; a ceiling on writes spares the destination. {_AGAIN}"),
    "Runtime.ImportModuleError": _IMPORTED,
    "Runtime.UserCodeSyntaxError": _IMPORTED,
    "Sandbox.Timedout": f"A worker ran out of its time again and again: look at its log. {_AGAIN}",
    "Runtime.ExitError": f"A worker's process died again and again: look at its log. {_AGAIN}",
    "Runtime.OutOfMemory": f"A worker's memory was too small again and again: raise memory_mb. {_AGAIN}",
    "Lambda.TooManyRequestsException": (
        "Lambda had no room for a worker for half an hour: lower concurrency, or ask Service Quotas for more "
        f"concurrent executions. {_AGAIN}"
    ),
    "States.Timeout": _TOO_LONG,
    "TIMED_OUT": _TOO_LONG,
    "ABORTED": f"Somebody, or a program, stopped the run. {_AGAIN}",
}
REMEDY_OTHERWISE = f"Look at the history of the execution, and at the log of the stage's function. {_AGAIN}"

# An event may have 256 KB (EventBridge user guide, "PutEvents event entry size"), a cause 32,768 characters.
MOST_CAUSE = 8000
# The error of a function is a JSON object, whose errorMessage is for people. One that was cut off can't be parsed, and
# what a person typed in braces can't either.
_CAUSE = (
    "($cause := $states.input.end.cause;"
    " $whole := $substring($cause, 0, 1) = '{' and $substring($cause, -1) = '}';"
    " $parsed := $whole and $contains($cause, '\"errorMessage\"') ? $parse($cause) : {};"
    f" $substring($exists($parsed.errorMessage) ? $parsed.errorMessage : $cause, 0, {MOST_CAUSE}))"
)
_REMEDY = (
    f"($known := $lookup({json.dumps(REMEDIES)}, $states.input.end.error);"
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


def announce_success(scope: Construct) -> tasks.EventBridgePutEvents:
    """Make the state that tells of a run that succeeded; its input, the run's report, is its output."""
    return _announce(scope, "AnnounceSuccess", SUCCEEDED, _SUCCESS, "Tell whoever listens that the run succeeded")


def announce_failure(scope: Construct, name: str) -> tasks.EventBridgePutEvents:
    """Make a state that tells of a run that failed: of ``$.end``, as ``RunLedger.record`` leaves it.

    Args:
        scope: the state's scope.
        name: the state's name.
    """
    return _announce(scope, name, FAILED, _FAILURE, "Tell whoever listens that the run failed, and what to do")


def _announce(scope: Construct, name: str, detail_type: str, detail: str, comment: str) -> tasks.EventBridgePutEvents:
    state = tasks.EventBridgePutEvents.jsonata(
        scope,
        name,
        state_name=name,
        comment=comment,
        entries=[
            tasks.EventBridgePutEventsEntry(
                source=SOURCE, detail_type=detail_type, detail=sfn.TaskInput.from_text(detail)
            )
        ],
        outputs="{% $states.input %}",
    )
    state.add_retry(errors=[sfn.Errors.ALL], interval=Duration.seconds(1), max_attempts=3, backoff_rate=2)
    return state
