"""The remedies: advice for a run that failed. The command and the stack's events read this table."""

from typing import NamedTuple

from etl.model.errors import Reason, reason_of
from etl.model.stages import BY_ACTION, TRANSFORM, function_of
from etl.model.statuses import ABORTED, STATUSES, TIMED_OUT, UNKNOWN

_LOGS, _DOCTOR, _PREVIEW, _PLAN, _RUNS = "logs --run {run}", "doctor", "preview", "plan", "runs"


class Remedy(NamedTuple):
    """The advice for a failed run.

    Attributes:
        text: the advice. ``{again}`` stands for the words that say how to start the run again.
        look: the ``etl`` command that shows more, without ``etl``. ``{run}`` stands for the run.
    """

    text: str
    look: str = _LOGS


_NOT_IMPORTED = Remedy(
    "transformation.py can't be imported: correct it, try it with `etl preview` and deploy it; then {again}.", _PREVIEW
)
_NOT_LOADED = Remedy("The function's code can't be loaded: deploy the stack again; then {again}.", _DOCTOR)
_TOO_LONG = Remedy(
    f"{STATUSES[TIMED_OUT].cause} See with `etl logs` whether a table was throttled all the time. If not, "
    "`etl plan` names the setting that makes such a window fit (see docs/scaling.md): deploy it, and {again}.",
    _PLAN,
)
# By reason, by name of the error, or by status of the run. A key that ends in a dot is for all other names that begin
# with it. Sources of AWS's names: Step Functions Developer Guide, "Handling errors"; Lambda Developer Guide,
# "Troubleshoot invocation issues" and "Retry behavior"; Lambda API Reference, "Invoke".
REMEDIES = {
    Reason.NOTHING_QUARANTINED: Remedy("There is nothing to do.", "quarantine list"),
    Reason.RUN_EXPIRED: Remedy("Run the window of that run instead.", _RUNS),
    Reason.RUN_NOT_OVER: Remedy("Wait until that run has ended, and replay it then.", _RUNS),
    Reason.WORKERS_NOT_OVER: Remedy("Wait until the time that the message names, and replay it then.", _RUNS),
    Reason.EVENT_WINDOW: Remedy("Run that window with `etl run`, or send several events.", _DOCTOR),
    "InputError": Remedy("Start the run again with an input that the message allows."),
    "CatchUpError": Remedy("Run the missing periods, the oldest first: `etl gaps` lists them.", "gaps"),
    Reason.NOT_FOUND: Remedy(
        "Deploy the stack again. If somebody deleted the resource by hand, destroy the stack first; then {again}.",
        _DOCTOR,
    ),
    Reason.ACCESS_DENIED: Remedy(
        "Deploy the stack again, and look for a policy outside the stack that denies the action; then {again}.",
        _DOCTOR,
    ),
    Reason.REFUSED: Remedy(
        "Correct the cause that the message names, which a deployment doesn't change; then {again}.", _DOCTOR
    ),
    Reason.FILTER_REFUSED: Remedy("Correct the setting source_filter as the message says; deploy, and {again}."),
    Reason.LEDGER_CHANGED: Remedy("Correct the row of the ledger with the line that the message has; then {again}."),
    "ConfigurationError": Remedy(
        "Deploy the stack again: a setting, a resource or a permission isn't as the stack made it; then {again}.",
        _DOCTOR,
    ),
    Reason.TOO_MANY_DROPPED: Remedy(
        "Add the missing return to transform(), or allow so many drops with drop_threshold_percent; deploy, and "
        "{again}.",
        _PREVIEW,
    ),
    Reason.TOO_SLOW: Remedy(
        "Make transform() faster, or allow it more time with record_seconds; deploy, and {again}.", _PREVIEW
    ),
    "TransformationError": Remedy(
        "Correct transformation.py, or the setting that the message names. Try it with `etl preview` and deploy it; "
        "then {again}.",
        _PREVIEW,
    ),
    "CodeChangedError": Remedy("Somebody deployed during the run: {again}."),
    Reason.AGGREGATES_CHANGED: Remedy("Somebody deployed during the run: {again}."),
    "QualityGateError": Remedy(
        "Nothing of the window was loaded. Look at the rejected records in quarantine, correct the data or the "
        "transformation, and {again}.",
        "quarantine show {run}",
    ),
    Reason.QUARANTINE_LOST: Remedy(
        "The quarantine of the replayed run can't be read any more: run that run's window again.", _RUNS
    ),
    "StagingError": Remedy("A staged object was changed, cut off or removed: {again}."),
    "BalanceError": Remedy("The counts don't add up, for example because a staged object was changed: {again}."),
    "UnexpectedError": Remedy(
        "The pipeline's own code failed: the log of the stage's function shows where. Report the fault, and {again}."
    ),
    Reason.DESTINATION_BUSY: Remedy(
        "Give the destination table more throughput, or lower max_write_units_per_second; then {again}."
    ),
    Reason.SOURCE_BUSY: Remedy("Give the source table more throughput; then {again}."),
    "TransientError": Remedy(
        "AWS was out of reach or too busy for minutes. See whether a table is throttled; then {again}."
    ),
    "Sandbox.Timedout": Remedy("A worker ran out of time at every attempt: its log shows where. Then {again}."),
    "Runtime.ImportModuleError": _NOT_LOADED,
    "Runtime.UserCodeSyntaxError": _NOT_LOADED,
    "Runtime.ExitError": Remedy("A worker's process died at every attempt: its log shows where. Then {again}."),
    "Runtime.OutOfMemory": Remedy(
        "A worker ran out of memory at every attempt: its log shows where. Raise memory_mb, deploy, and {again}."
    ),
    "Lambda.ResourceNotFoundException": Remedy("A function is missing: deploy the stack again; then {again}.", _DOCTOR),
    "Lambda.TooManyRequestsException": Remedy(
        "Lambda had no room for a worker until the run ended. Lower concurrency, ask Service Quotas for more "
        "concurrent executions, or see which other functions use them; then {again}.",
        _DOCTOR,
    ),
    "Lambda.Unknown": Remedy(
        "A worker ran out of time or memory, or its process died: its log shows where. Then {again}."
    ),
    "Lambda.AWSLambdaException": Remedy(
        "Lambda could not run a function: {again}. If the message says that the state machine isn't authorized, deploy "
        "the stack again first.",
        _DOCTOR,
    ),
    "Lambda.": Remedy("Lambda could not run a function: {again}. If that fails too, run `etl doctor`.", _DOCTOR),
    "States.ExceedToleratedFailureThreshold": Remedy(
        "A segment failed: the log of its stage has the error. Then {again}."
    ),
    "States.DataLimitExceeded": Remedy(
        "The run has too many segments: lower concurrency or raise segment_bytes; deploy, and {again}.", _PLAN
    ),
    "States.Timeout": _TOO_LONG,
    "States.": Remedy("The workflow isn't as the stack made it: deploy the stack again; then {again}.", _DOCTOR),
    ABORTED: Remedy("Somebody, or a program, stopped the run. If that was a mistake, {again}."),
    TIMED_OUT: _TOO_LONG,
    UNKNOWN: Remedy("Look at the execution in Step Functions, which keeps it for 90 days; then {again}."),
}
UNFORESEEN = Remedy(
    "Look at the history of the execution, and at the log of the stage's function, which has the traceback; then "
    "{again}."
)


def remedy_for(status: str, stage: str, error: str, message: str, replay: str = "") -> Remedy:
    """The remedy for a run that ended without success, with the words that start it again.

    Args:
        status: FAILED, ABORTED, TIMED_OUT or UNKNOWN.
        stage: the state at which it ended; empty if before the first.
        error: the error's name; may be empty.
        message: the error's message, with its reason if it has one.
        replay: id of the run whose quarantine it replayed; empty for a run of a window.
    """
    remedy = _found(status, stage, error, reason_of(error, message))
    again = f"replay run {replay} again" if replay else "run the window again"
    return Remedy(remedy.text.format(again=again), remedy.look)


def _found(status: str, stage: str, error: str, reason: Reason | None) -> Remedy:
    # These stages import transformation.py. An error of that has its own name, or one of Lambda's.
    imports = function_of(stage) == BY_ACTION[TRANSFORM].function
    if imports and REMEDIES.get(error) is _NOT_LOADED:
        return _NOT_IMPORTED
    family = error.partition(".")[0] + "."
    for key in (reason or "", error, family, status):
        if key in REMEDIES:
            return REMEDIES[key]
    return _NOT_IMPORTED if imports and error and "." not in error else UNFORESEEN
