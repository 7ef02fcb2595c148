"""Lambda's room for the workers of a run: with too little, workers wait, and runs take longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.model.names import Names
from etl.model.stages import FUNCTIONS
from etl_cli.aws.cli_lines import aws
from etl_cli.aws.deployed_settings import setting_of
from etl_cli.costs.function_room import Room, read_room
from etl_cli.doctor.findings import Finding
from etl_cli.terminal.errors import UserError

ABOUT = "concurrency"
# Service Quotas' code of Lambda's "Concurrent executions", and its default. Source: Lambda Developer Guide, "Lambda
# quotas"; AWS General Reference, "AWS Lambda endpoints and quotas".
_QUOTA_CODE, _USUAL_QUOTA = "L-B99A9384", 1_000


def room_finding(client: Any, names: Names, options: Sequence[str], deploy: str) -> Finding:
    """Compare Lambda's room for the functions with the setting ``concurrency``."""
    function = client.get_function_configuration(FunctionName=names.function(FUNCTIONS[0]))
    try:
        workers = setting_of(function, "concurrency", deploy)
    except UserError as error:
        return Finding(ABOUT, "problem", error.message, "The stack sets it: deploy it again.", deploy)
    return _compared(read_room(client, names), workers, options)


def _compared(room: Room, workers: int, options: Sequence[str]) -> Finding:
    if room.least >= workers:
        return Finding(ABOUT, "ok", f"Lambda has room for the {workers:,} workers of a stage")
    function = room.tightest
    remove = aws("lambda", "delete-function-concurrency", "--function-name", function, options=options)
    if room.barred:
        return Finding(ABOUT, "problem", room.barred, "Remove the reservation:", remove)
    text = f"Lambda runs {room.least:,} of the {workers:,} workers of a stage at once: {room.why}"
    remedy = "Runs take longer; etl plan says whether 30 minutes are enough. Lower concurrency, "
    if function in room.reserved:
        return Finding(ABOUT, "warning", text, f"{remedy}or remove the reservation:", remove)
    words = ["service-quotas", "request-service-quota-increase", "--service-code", "lambda"]
    wanted = max(_USUAL_QUOTA, room.quota + workers - room.least)
    line = aws(*words, "--quota-code", _QUOTA_CODE, "--desired-value", str(wanted), options=options)
    return Finding(ABOUT, "warning", text, f"{remedy}or ask for a higher quota:", line)
