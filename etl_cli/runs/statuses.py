"""How a run may stand, in words; and how long a run may take before it is taken as ended."""

from etl.model.statuses import UNKNOWN

_ENDED = {"TIMED_OUT": "ran out of time", "ABORTED": "was stopped", UNKNOWN: "ended without a record"}


def ended(status: str, stage: str = "", error: str = "") -> str:
    """How a run ended that did not succeed, as a predicate: ``failed at Gate: QualityGateError``.

    Args:
        status: FAILED, TIMED_OUT, ABORTED or UNKNOWN.
        stage: at which it ended; empty where that isn't known.
        error: the error's name; empty, or the status, where there is nothing better.
    """
    at = f" at {stage}" if stage else ""
    return f"{_ENDED.get(status, 'failed')}{at}{f': {error}' if error not in ('', status) else ''}"
