"""The statuses of a run, and the longest time that a run can take."""

from datetime import datetime, timedelta
from typing import NamedTuple

# Time-outs of the functions and of the state machine.
INVOCATION_LIMIT = timedelta(minutes=5)
RUN_LIMIT = timedelta(minutes=30)
# An invocation isn't stopped when the state machine ends: it runs to its own end.
LONGEST_RUN = RUN_LIMIT + INVOCATION_LIMIT

RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"
UNKNOWN = "UNKNOWN"
"""The status of a run whose end was not recorded. The others are those of Step Functions."""


class Status(NamedTuple):
    """A status of a run, in words.

    Attributes:
        word: the status itself.
        ended: the end as a predicate.
        error: name of the error, where the execution has none.
        cause: message of the error, where the execution has none.
    """

    word: str
    ended: str = "failed"
    error: str = ""
    cause: str = ""


STATUSES = {
    RUNNING: Status("running"),
    SUCCEEDED: Status("succeeded", "succeeded"),
    FAILED: Status("failed", cause="The workflow itself failed: the history of the execution has the error."),
    TIMED_OUT: Status(
        "timed out",
        "ran out of time",
        "TimedOut",
        f"The run took longer than {RUN_LIMIT // timedelta(minutes=1)} minutes.",
    ),
    ABORTED: Status("stopped", "was stopped", "Aborted", "The run was stopped by hand or by a program."),
    UNKNOWN: Status(
        "end unknown",
        "ended without a record",
        "EndNotRecorded",
        "The run had more time than the state machine allows, and its end was not recorded: the event of its end was "
        "lost, or the recorder failed.",
    ),
}


def words_for(status: str) -> Status:
    """The words for a status; for one that Step Functions may add, such as PENDING_REDRIVE, its own name."""
    return STATUSES.get(status, Status(status.lower().replace("_", " ")))


def status_of(recorded: str, started: datetime | None, now: datetime) -> str:
    """The status of a run by its entry in the ledger; UNKNOWN if it should have ended long ago.

    AWS delivers the event of a run's end on a best-effort basis. If the event is lost, the entry stays at RUNNING.
    Source: EventBridge, "AWS service events", Step Functions.
    """
    if recorded == RUNNING and started and now - started > LONGEST_RUN:
        return UNKNOWN
    return recorded
