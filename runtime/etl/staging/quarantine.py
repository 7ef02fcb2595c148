"""The lines of quarantine: each is a record that a stage set aside, with the reason and the original bytes."""

import msgspec

from etl.model.rejection import RejectedError, UntimedError
from etl.model.run import Run
from etl.values.plain_json import encode


class Quarantined(msgspec.Struct):
    """The part of a line of quarantine that a run reads.

    Attributes:
        stage: the stage that set the record aside.
        item: the record as the stage read it.
        summary: the reason, without a value or a name of the record.
        untimed: whether the record's timestamp isn't a time.
    """

    stage: str
    item: msgspec.Raw
    summary: str = RejectedError.summary  # objects of an earlier version lack it
    untimed: bool = False


def rejected_line(stage: str, run: Run, segment: int, reason: RejectedError, item: bytes) -> bytes:
    """One record of quarantine, as a line of JSON.

    Args:
        stage: the stage that sets it aside: transform or load.
        run: the run.
        segment: number of the segment.
        reason: the rejection.
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
    """Text without lone surrogates, which a user's error message may contain and JSON can't."""
    return text.encode(errors="backslashreplace").decode()
