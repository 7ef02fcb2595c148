"""The fields of the table ``etl-run-ledger``: an entry for each execution, and the watermark.

=============  ==================  ===========================================================================
``kind``       ``id``              other fields
=============  ==================  ===========================================================================
``run``        execution's name    ``status``: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
                                   ``run``: id of the run. ``execution``: its ARN.
                                   ``window_start``, ``window_end``, ``started_at``, ``finished_at``, ``segments``,
                                   ``counts``. Of a failure: ``error``, ``cause`` and ``stage``.
                                   ``replay``: the run whose quarantine it takes up.
                                   ``replayed``: the run that took up its own quarantine, and the counts of that.
                                   ``origin``: ``schedule`` if it got no window, else ``event`` or ``execution``.
``watermark``  ``watermark``       ``since``: the start of the first scheduled run's day. ``end``: every instant
                                   from ``since`` to ``end`` is in a window that was loaded. ``run``: the run that
                                   moved ``end`` there.
=============  ==================  ===========================================================================
"""

from typing import Any, Final

KIND, ID = "kind", "id"
KEY: Final = (KIND, ID)
OF_RUN, OF_WATERMARK = "run", "watermark"
"""The values of ``kind``."""

STATUS, RUN, EXECUTION = "status", "run", "execution"
WINDOW_START, WINDOW_END = "window_start", "window_end"
STARTED_AT, FINISHED_AT = "started_at", "finished_at"
SEGMENTS, COUNTS = "segments", "counts"
ERROR, CAUSE, STAGE = "error", "cause", "stage"
REPLAY, REPLAYED, ORIGIN = "replay", "replayed", "origin"
SINCE, END = "since", "end"

WATERMARK_KEY: Final = {KIND: {"S": OF_WATERMARK}, ID: {"S": OF_WATERMARK}}
"""The key of the watermark in DynamoDB JSON."""


def run_key(execution: str) -> dict[str, Any]:
    """The key of an execution's entry in DynamoDB JSON.

    Args:
        execution: its ARN or its name.
    """
    return {KIND: {"S": OF_RUN}, ID: {"S": execution.rpartition(":")[2]}}


def placeholders(*fields: str) -> dict[str, str]:
    """The names of fields in a DynamoDB expression: ``#status`` for ``status``. Some fields are reserved words."""
    return {f"#{field}": field for field in fields}
