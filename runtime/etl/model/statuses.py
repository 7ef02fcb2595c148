"""The statuses of a run, and the longest time that a run can take."""

from datetime import datetime, timedelta

RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"

# A run whose end was not recorded. All other statuses are those of Step Functions.
UNKNOWN = "UNKNOWN"
WORDS = {
    RUNNING: "running",
    SUCCEEDED: "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "ABORTED": "stopped",
    UNKNOWN: "end unknown",
}

# Time-outs of the functions and of the state machine.
INVOCATION_LIMIT = timedelta(minutes=5)
RUN_LIMIT = timedelta(minutes=30)
# An invocation isn't stopped when the state machine ends: it runs to its own end.
LONGEST_RUN = RUN_LIMIT + INVOCATION_LIMIT


def status_of(recorded: str, started: datetime | None, now: datetime) -> str:
    """The status of a run by its entry in the ledger; UNKNOWN if it should have ended long ago.

    AWS delivers the event of a run's end on a best-effort basis. If the event is lost, the entry stays at RUNNING.
    Source: EventBridge, "AWS service events", Step Functions.
    """
    if recorded == RUNNING and started and now - started > LONGEST_RUN:
        return UNKNOWN
    return recorded
