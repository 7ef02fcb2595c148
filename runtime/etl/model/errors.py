"""The errors of the three stages. Each concrete class is a decision that the workflow takes.

    EtlError
    ├── InputError           the execution's input is wrong           fail; correct the input
    ├── CatchUpError         more is missing than may be caught up    fail; run the gap's window
    ├── ConfigurationError   a setting, a table, a bucket, a grant    fail; correct the deployment
    ├── CodeChangedError     another code was deployed meanwhile      fail; run the window again
    ├── TransformationError  transformation.py itself is wrong        fail; correct the file
    ├── StagingError         a staged object is missing or malformed  fail; run the window again
    ├── QualityGateError     too large a share was rejected           fail; look into quarantine/
    ├── BalanceError         an item is unaccounted for               fail; run the window again
    ├── UnexpectedError      a fault in the functions' own code       fail; look at the log
    └── TransientError       AWS throttled, or was out of reach       retry

Step Functions compares the name of the concrete class with the names in Retry, never its base.
"""

import json
import sys


class EtlError(Exception):
    """Base of the errors that end an invocation. The message says what, where and what to do."""


class InputError(EtlError):
    """The execution's input can't be understood."""


class CatchUpError(EtlError):
    """No run has covered a time that is longer than one run may catch up on.

    Args:
        start: first instant that is missing.
        end: where the run's window ends.
        most_days: what a run may catch up on.
    """

    def __init__(self, start: str, end: str, most_days: int) -> None:
        window = json.dumps({"start": start, "end": end})
        super().__init__(
            f"no run has loaded what lies between {start} and {end}, and a run catches up on {most_days} days at most "
            "(CATCH_UP_DAYS). Fill the gap, in one run or in several that follow each other, and the schedule goes on: "
            f"aws stepfunctions start-execution --state-machine-arn $STATE_MACHINE_ARN --input '{window}'"
        )


class ConfigurationError(EtlError):
    """A setting is wrong, or something that the deployment should have made isn't there."""


class CodeChangedError(EtlError):
    """The functions' code isn't the one that planned the run."""


class TransformationError(EtlError):
    """transformation.py can't be used: its contract, an aggregate or its functions are wrong."""


class StagingError(EtlError):
    """A staged object is missing, truncated or not what the stage before it wrote."""


class QualityGateError(EtlError):
    """The share of rejected items passed the threshold."""


class BalanceError(EtlError):
    """What went into a stage isn't what came out of it."""


class UnexpectedError(EtlError):
    """The functions' own code failed. The message has no text of the error itself, which may quote a record."""


class TransientError(EtlError):
    """AWS refused or failed in a way that passes: the workflow runs the invocation again."""


def class_name(error: BaseException) -> str:
    """Name of an error's class, or of its nearest base that stands in a module: one made of data may have its name."""
    return next((str(kind.__name__) for kind in type(error).__mro__ if _stands_in_its_module(kind)), "error")


def _stands_in_its_module(kind: type) -> bool:
    try:
        return getattr(sys.modules[kind.__module__], kind.__name__) is kind
    except Exception:  # a class may say anything of its module
        return False
