"""How a run may stand, in words; and how long a run may take before it is taken as ended."""

from datetime import datetime, timedelta

# Step Functions' statuses, and one more: a run whose end was not recorded.
UNKNOWN = "UNKNOWN"
WORDS = {
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "ABORTED": "stopped",
    UNKNOWN: "end unknown",
}
_ENDED = {"TIMED_OUT": "ran out of time", "ABORTED": "was stopped", UNKNOWN: "ended without a record"}
# The state machine gives a run 30 minutes, and an invocation that is running then takes 5 more at most. The functions
# have the same rule: runtime/etl/replay.py.
LONGEST_RUN = timedelta(minutes=35)


def ended(status: str, stage: str = "", error: str = "") -> str:
    """How a run ended that did not succeed, as a predicate: ``failed at Gate: QualityGateError``.

    Args:
        status: FAILED, TIMED_OUT, ABORTED or UNKNOWN.
        stage: at which it ended; empty where that isn't known.
        error: the error's name; empty, or the status, where there is nothing better.
    """
    at = f" at {stage}" if stage else ""
    return f"{_ENDED.get(status, 'failed')}{at}{f': {error}' if error not in ('', status) else ''}"


def status_of(recorded: str, started: datetime | None, now: datetime) -> str:
    """The status of a run by its ledger entry.

    AWS delivers the event of a run's end by best effort. If it is lost, the entry stays at RUNNING.
    Source: EventBridge, "AWS service events", Step Functions.
    """
    if recorded == "RUNNING" and started and now - started > LONGEST_RUN:
        return UNKNOWN
    return recorded
