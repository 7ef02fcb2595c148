"""Advice on a failed run, and where to look: by the reason, which an error's name alone doesn't tell.

The functions' messages are those of runtime/etl; a test raises each of them, and looks up what is said here.
"""

from __future__ import annotations

from typing import NamedTuple

_LOGS, _DOCTOR, _PREVIEW = "logs --run {run}", "doctor", "preview"


class Remedy(NamedTuple):
    """An advice.

    Attributes:
        text: in words.
        look: words of this command that show more, with ``{run}`` for the run.
    """

    text: str
    look: str = _LOGS


class _Reason(NamedTuple):
    """A reason for which runs fail.

    Attributes:
        error: the error's name; a name that ends in a dot is that of a family.
        says: what is in its message; empty for any other reason of that error.
        text: what to do, with ``{again}`` for what then starts it again.
        look: as in `Remedy`.
    """

    error: str
    says: str
    text: str
    look: str = _LOGS


_FILE = "pipelines/etl/transformation.py"
_IMPORTED = f"{_FILE} can't be imported: correct it, try it with etl preview, deploy it; then {{again}}."
_CODE = "Deploy the stack again: its code can't be loaded; then {again}."
_TOO_LONG = (
    "See whether a table was throttled all the time, which etl logs tells. If not, etl plan says which setting makes "
    "such a window fit 30 minutes; deploy with it, and {again}."
)
# The first that fits. Sources of AWS's own names: Step Functions Developer Guide, "Handling errors"; Lambda Developer
# Guide, "Troubleshoot invocation issues" and "Retry behavior"; Lambda API Reference, "Invoke".
REASONS = (
    _Reason("InputError", "nothing to run again", "There is nothing to do.", "quarantine list"),
    _Reason("InputError", "what it staged has expired", "Run the window of that run instead.", "runs"),
    _Reason("InputError", "is still running", "Wait for that run's end, and replay it then.", "runs"),
    _Reason("InputError", "may still be at work", "Wait until then, and replay it once more.", "runs"),
    _Reason("InputError", "an event may ask for", "Run that window with etl run, or send several events.", _DOCTOR),
    _Reason("InputError", "", "Start it again with an input that the message allows."),
    _Reason("CatchUpError", "", "Run the time that is missing, the oldest first: etl gaps lists it.", "gaps"),
    _Reason(
        "ConfigurationError",
        "isn't there: deploy",
        "Deploy the stack again, or destroy it first, if somebody deleted that by hand; then {again}.",
        _DOCTOR,
    ),
    _Reason(
        "ConfigurationError",
        "role doesn't allow it",
        "Deploy the stack again, and look for a policy of others that denies the action; then {again}.",
        _DOCTOR,
    ),
    _Reason(
        "ConfigurationError",
        "not expected to pass by itself",
        "Mend the cause that the message names, which a deployment doesn't change; then {again}.",
        _DOCTOR,
    ),
    _Reason(
        "ConfigurationError",
        "",
        "Deploy the stack again: it sets what the message names, and somebody has changed that since; then {again}.",
        _DOCTOR,
    ),
    _Reason(
        "TransformationError",
        "returned nothing for",
        f"Give transform() the return that it lacks, in {_FILE}, or allow so many with drop_threshold_percent; deploy, "
        "and {again}.",
        _PREVIEW,
    ),
    _Reason(
        "TransformationError",
        "was stopped for",
        f"Have transform() do less for a record, in {_FILE}, or allow it more time with record_seconds; deploy, and "
        "{again}.",
        _PREVIEW,
    ),
    _Reason(
        "TransformationError", "", f"Correct {_FILE}, try it with etl preview, deploy it; then {{again}}.", _PREVIEW
    ),
    _Reason("CodeChangedError", "", "Somebody deployed during the run: {again}."),
    _Reason(
        "QualityGateError",
        "",
        "See in quarantine what was rejected; correct the data or the transformation, and {again}.",
        "quarantine show {run}",
    ),
    _Reason("StagingError", "which was changed during the run", "Somebody deployed during the run: {again}."),
    _Reason("StagingError", "", "A staged object was changed, cut off or removed: {again}."),
    _Reason("BalanceError", "", "The counts don't add up, as when something staged is changed: {again}."),
    _Reason(
        "UnexpectedError",
        "",
        "See in the log of its stage where the code failed: that is a fault of the pipeline's own.",
    ),
    _Reason(
        "TransientError",
        "destination table took nothing",
        "Give the destination table more throughput, or set a lower max_write_units_per_second; then {again}.",
    ),
    _Reason("TransientError", "source table", "Give the source table more throughput; then {again}."),
    _Reason("TransientError", "", "AWS was out of reach, or too busy, for minutes: {again}."),
    _Reason("Sandbox.Timedout", "", "A worker ran out of its time again and again: its log shows where."),
    _Reason("Runtime.ImportModuleError", "", _CODE, _DOCTOR),
    _Reason("Runtime.UserCodeSyntaxError", "", _CODE, _DOCTOR),
    _Reason(
        "Runtime.ExitError", "", "A worker's process ended again and again, as by too much memory: its log shows where."
    ),
    _Reason(
        "Runtime.OutOfMemory",
        "",
        "A worker's memory was too small again and again: its log shows where. Raise memory_mb, deploy, and {again}.",
    ),
    _Reason(
        "Lambda.",
        "not authorized",
        "Deploy the stack again, whose state machine may not call it; then {again}.",
        _DOCTOR,
    ),
    _Reason(
        "Lambda.ResourceNotFoundException", "", "Deploy the stack again: a function is gone; then {again}.", _DOCTOR
    ),
    _Reason(
        "Lambda.TooManyRequestsException",
        "",
        "Lambda had no room for a worker for half an hour: lower concurrency, ask Service Quotas for more concurrent "
        "executions, or see what else holds them; then {again}.",
        _DOCTOR,
    ),
    _Reason("Lambda.Unknown", "", "A worker ran out of its time or its memory, or ended: its log shows where."),
    _Reason(
        "Lambda.", "", "Lambda could not run a function: {again}; if that fails too, look with etl doctor.", _DOCTOR
    ),
    _Reason("States.ExceedToleratedFailureThreshold", "", "A segment failed: the log of its stage has its error."),
    _Reason(
        "States.DataLimitExceeded",
        "",
        "The run has too many segments: lower concurrency, or raise segment_bytes; deploy, and {again}.",
        "plan",
    ),
    _Reason("States.Timeout", "", _TOO_LONG, "plan"),
    _Reason("States.", "", "Deploy the stack again: the workflow is not as it should be; then {again}.", _DOCTOR),
    _Reason("ABORTED", "", "If it was stopped by mistake, {again}."),
    _Reason("TIMED_OUT", "", _TOO_LONG, "plan"),
    _Reason("UNKNOWN", "", "Look at the execution in Step Functions, which keeps it for 90 days; then {again}."),
)
UNEXPECTED = "Nobody expected this error: the log has its traceback."
# These stages import the user's file. An error of that has its own name, or one of Lambda's; any later one has one of
# the pipeline's.
_IMPORTING = ("Transform", "Gate")
_NOT_IMPORTED = ("Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError")


def remedy_for(status: str, stage: str, error: str, message: str, replay: str = "") -> Remedy:
    """Choose the advice on a run that ended without success.

    Args:
        status: FAILED, ABORTED, TIMED_OUT or UNKNOWN.
        stage: at which it ended; empty if before the first.
        error: the error's name; may be empty.
        message: what it says.
        replay: timestamp of the run whose quarantine it replayed; empty for a run of a window.
    """
    if replay and error == "StagingError" and f"/quarantine/{replay}/" in message:
        return Remedy(f"What run {replay} set aside can't be read any more: run that run's window again.", "runs")
    again = f"replay run {replay} again" if replay else "run the window again"
    if stage in _IMPORTING and error in _NOT_IMPORTED:
        return Remedy(_IMPORTED.format(again=again), _PREVIEW)
    for name in (error, status):
        for reason in REASONS:
            family = reason.error.endswith(".") and name.startswith(reason.error)
            if (name == reason.error or family) and reason.says in message:
                return Remedy(reason.text.format(again=again), reason.look)
    if stage in _IMPORTING and error and "." not in error:
        return Remedy(_IMPORTED.format(again=again), _PREVIEW)
    return Remedy(UNEXPECTED)
