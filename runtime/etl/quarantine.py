"""What a stage rejects is set aside: with its reason, and with its original bytes."""

import json

from etl.errors import RejectedError
from etl.run import Run


def rejected_line(stage: str, run: Run, segment: int, reason: RejectedError, item: bytes) -> bytes:
    """One record of quarantine, as a line of JSON.

    Args:
        stage: the stage that rejected it: extract, transform or load.
        run: the run.
        segment: number of the segment that it was read in.
        reason: why.
        item: the record as the stage read it, a JSON document.
    """
    facts = {
        "stage": stage,
        "field": reason.field,
        "expected": reason.expected,
        "got": reason.got,
        "run": run.timestamp,
        "segment": segment,
    }
    return json.dumps(facts)[:-1].encode() + b', "item": ' + item + b"}"
