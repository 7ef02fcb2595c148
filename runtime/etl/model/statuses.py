"""The statuses of a run, and the time after which a run that nobody saw end is over."""

from datetime import datetime, timedelta

RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"

# A run whose end was not recorded. The others are statuses of Step Functions.
UNKNOWN = "UNKNOWN"
WORDS = {
    RUNNING: "running",
    SUCCEEDED: "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timed out",
    "ABORTED": "stopped",
    UNKNOWN: "end unknown",
}

# The time-outs that the stack gives its functions and its state machine.
INVOCATION_LIMIT = timedelta(minutes=5)
RUN_LIMIT = timedelta(minutes=30)
# An invocation that is running when the state machine ends goes on to its own end.
LONGEST_RUN = RUN_LIMIT + INVOCATION_LIMIT


def status_of(recorded: str, started: datetime | None, now: datetime) -> str:
    """The status of a run by its ledger entry.

    AWS delivers the event of a run's end on a best-effort basis. If it is lost, the entry stays at RUNNING.
    Source: EventBridge, "AWS service events", Step Functions.
    """
    if recorded == RUNNING and started and now - started > LONGEST_RUN:
        return UNKNOWN
    return recorded
