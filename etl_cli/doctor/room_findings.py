"""Whether Lambda has room for the workers of a run: with too little, workers wait, and runs take longer."""

from __future__ import annotations

from collections.abc import Sequence

from etl_cli.commands import aws
from etl_cli.doctor.findings import Finding
from etl_cli.function_room import Room

ABOUT = "concurrency"
# Service Quotas' code of Lambda's "Concurrent executions", and its default. Source: Lambda Developer Guide, "Lambda
# quotas"; AWS General Reference, "AWS Lambda endpoints and quotas".
_QUOTA_CODE, _USUAL_QUOTA = "L-B99A9384", 1_000


def room_finding(room: Room, workers: int, options: Sequence[str]) -> Finding:
    """What the room for a function means for so many workers.

    Args:
        room: what Lambda says.
        workers: of a stage at once, by the setting ``concurrency``.
        options: of the command, which say where to look.
    """
    if room.least >= workers:
        return Finding(ABOUT, "ok", f"Lambda has room for the {workers:,} workers of a stage")
    function = room.tightest
    remove = " ".join([aws("lambda", "delete-function-concurrency", "--function-name", function), *options])
    if room.least == 0 and function in room.reserved:
        text = f"{function} can't run: no executions are reserved for it"
        return Finding(ABOUT, "problem", text, "Take the reservation back:", remove)
    text = f"Lambda runs {room.least:,} of the {workers:,} workers of a stage at once: {room.why}"
    remedy = "Runs take longer; etl plan says whether 30 minutes are enough. Lower concurrency, "
    if function in room.reserved:
        return Finding(ABOUT, "warning", text, f"{remedy}or take the reservation back:", remove)
    words = ["service-quotas", "request-service-quota-increase", "--service-code", "lambda"]
    wanted = max(_USUAL_QUOTA, room.quota + workers - room.least)
    line = aws(*words, "--quota-code", _QUOTA_CODE, "--desired-value", str(wanted))
    return Finding(ABOUT, "warning", text, f"{remedy}or ask for a higher quota:", " ".join([line, *options]))
