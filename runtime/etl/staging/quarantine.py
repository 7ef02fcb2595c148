"""Records that a stage sets aside: each with its reason, and with its original bytes."""

from etl.model.rejection import RejectedError, UntimedError
from etl.model.run import Run
from etl.values.plain_json import encode


def rejected_line(stage: str, run: Run, segment: int, reason: RejectedError, item: bytes) -> bytes:
    """One record of quarantine, as a line of JSON.

    Args:
        stage: the stage that sets it aside: transform or load.
        run: the run.
        segment: number of the segment that it was read in.
        reason: why.
        item: the record as the stage read it, a JSON document.
    """
    facts = {
        "stage": stage,
        "reason": _utf8(str(reason)),
        "field": _utf8(reason.field),
        "rule": _utf8(reason.rule),
        "got": _utf8(reason.got),
        "summary": _utf8(reason.summary),
        "untimed": isinstance(reason, UntimedError),
        "run": run.id,
        "segment": segment,
    }
    return encode(facts)[:-1] + b',"item":' + item + b"}"


def _utf8(text: str) -> str:
    """Text without lone surrogates, which a user's error message may hold and JSON can't."""
    return text.encode(errors="backslashreplace").decode()
