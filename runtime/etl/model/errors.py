"""The errors that end an invocation. Each class is a decision that the workflow takes.

    EtlError
    ├── InputError           the input of the execution is wrong          correct the input
    ├── CatchUpError         too long a period is missing                 run that period
    ├── ConfigurationError   a setting, a table, a bucket, a permission   correct the deployment
    ├── CodeChangedError     a deployment came in between                 run the window again
    ├── TransformationError  transformation.py is wrong                   correct the file
    ├── StagingError         a staged object is missing or changed        run the window again
    ├── QualityGateError     too many records were rejected               look into quarantine
    ├── BalanceError         an item is unaccounted for                   run the window again
    ├── UnexpectedError      the pipeline's own code failed               look at the log
    └── TransientError       AWS throttled or was out of reach            the workflow retries

Step Functions compares the name of the class with the names in Retry, never the name of a base class. The remedies are
in ``remedies.py``.
"""

import json
import re
import sys
from enum import StrEnum


class Reason(StrEnum):
    """A reason that needs a remedy of its own, where several reasons share an error class.

    Lambda passes on a class name and a message only. So the message ends with its reason: ``… [source-busy]``. You can
    search for it.
    """

    NOTHING_QUARANTINED = "nothing-quarantined"
    RUN_EXPIRED = "run-expired"
    RUN_NOT_OVER = "run-not-over"
    WORKERS_NOT_OVER = "workers-not-over"
    EVENT_WINDOW = "event-window"
    NOT_FOUND = "not-found"
    ACCESS_DENIED = "access-denied"
    REFUSED = "refused"
    FILTER_REFUSED = "filter-refused"
    LEDGER_CHANGED = "ledger-changed"
    TOO_MANY_DROPPED = "too-many-dropped"
    TOO_SLOW = "too-slow"
    AGGREGATES_CHANGED = "aggregates-changed"
    QUARANTINE_LOST = "quarantine-lost"
    SOURCE_BUSY = "source-busy"
    DESTINATION_BUSY = "destination-busy"


_MARK = re.compile(rf" \[({'|'.join(Reason)})\]\Z")


class EtlError(Exception):
    """Base of the errors that end an invocation.

    Args:
        message: the event, the value found and the values allowed, and the remedy.
        reason: the reason, if it needs a remedy of its own.
    """

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(f"{message} [{reason}]" if reason else message)


class InputError(EtlError):
    """The execution's input isn't one that the pipeline takes."""


class CatchUpError(EtlError):
    """The period that no run has covered is longer than one run may catch up on.

    Args:
        start: first instant of the missing period.
        end: end of the run's window.
        most_days: the longest period that a run catches up on, in days.
    """

    def __init__(self, start: str, end: str, most_days: int) -> None:
        self.start, self.end, self.most_days = start, end, most_days
        window = json.dumps({"start": start, "end": end})
        super().__init__(
            f"no run has loaded the period from {start} to {end}, and one run catches up on at most {most_days} days "
            "(CATCH_UP_DAYS). Run that period yourself, in one run or in several; then the schedule continues: "
            f"aws stepfunctions start-execution --state-machine-arn $STATE_MACHINE_ARN --input '{window}'"
        )


class ConfigurationError(EtlError):
    """A setting is wrong, or the deployment lacks a resource or a permission."""


class CodeChangedError(EtlError):
    """The functions' code isn't the code that planned the run."""


class TransformationError(EtlError):
    """transformation.py is wrong: its contract, an aggregate or its functions."""


class StagingError(EtlError):
    """A staged object is missing, cut off or changed."""


class QualityGateError(EtlError):
    """The share of rejected records is above the threshold."""


class BalanceError(EtlError):
    """A stage has more or fewer records than it was given."""


class UnexpectedError(EtlError):
    """The functions' own code failed. The message omits the error's text, which may quote a record."""


class TransientError(EtlError):
    """AWS refused or failed for a while. The workflow runs the invocation again."""


NAMES = frozenset(kind.__name__ for kind in EtlError.__subclasses__())
"""Names of the errors whose message says what to do."""


def reason_of(name: str, message: str) -> Reason | None:
    """The reason at the end of an error's message. An error that isn't in ``NAMES`` has none, whatever it says."""
    found = _MARK.search(message) if name in NAMES else None
    return Reason(found[1]) if found else None


def class_name(error: BaseException) -> str:
    """The name of an error's class, or of its nearest base that a module defines.

    A class that transform() makes of data may have that data as its name.
    """
    return next((str(kind.__name__) for kind in type(error).__mro__ if _is_defined(kind)), "error")


def _is_defined(kind: type) -> bool:
    try:
        return getattr(sys.modules[kind.__module__], kind.__name__) is kind
    except Exception:  # a class may claim any module
        return False
