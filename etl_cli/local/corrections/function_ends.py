"""The end of an invocation in the embedded AWS: the caller's answer, and Lambda's REPORT line."""

from __future__ import annotations

import json
import threading
from typing import Any


class _Ending(threading.local):
    """The end of the invocation that this thread waits for.

    Attributes:
        payload: AWS's description of a failure; None for ministack's own.
        timed_out: whether it was stopped at its time limit.
        memory_mb: its process's peak memory in MiB; None if unknown.
    """

    payload: dict[str, Any] | None = None
    timed_out: bool = False
    memory_mb: int | None = None

    def begin(self) -> None:
        """Forget the thread's last invocation."""
        self.payload, self.timed_out, self.memory_mb = None, False, None


ENDING = _Ending()


def report_ends() -> None:
    """Add the failure and the peak memory to the REPORT line.

    ``Status: timeout``, or ``Status: error`` and ``Error Type: …``, follow "Max Memory Used", which is at most the
    function's memory. Since 2026 a time-out and a death leave no other line: AWS no longer writes "Task timed out
    after …" and "Runtime exited with error: …".
    """
    from ministack.services import lambda_svc

    emit, probe = lambda_svc._emit_lambda_logs, lambda_svc._probe_peak_memory_mb

    def emit_with_report(
        func: dict[str, Any],
        request_id: str,
        log_text: str,
        error: bool,
        duration_ms: int,
        *,
        log_source: str | None = None,
    ) -> None:
        if log_source is not None:
            emit(func, request_id, log_text, error, duration_ms, log_source=log_source)
            return
        config = func.get("config") or func
        used = ENDING.memory_mb if ENDING.memory_mb is not None else probe(func)
        report = (
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tBilled Duration: {duration_ms} ms\t"
            f"Memory Size: {config['MemorySize']} MB\tMax Memory Used: {min(used, config['MemorySize'])} MB"
        )
        lines = [
            f"START RequestId: {request_id} Version: {config.get('Version', '$LATEST')}",
            *([log_text] if log_text else []),
            f"END RequestId: {request_id}",
            report + _status(error),
        ]
        # ministack writes a text with Lambda's own lines unchanged.
        emit(func, request_id, "\n".join(lines), error, duration_ms, log_source="rie")

    lambda_svc._emit_lambda_logs = emit_with_report


def _status(failed: bool) -> str:
    if ENDING.timed_out:
        return "\tStatus: timeout"
    if not failed:
        return ""
    return "\tStatus: error" + (f"\tError Type: {ENDING.payload['errorType']}" if ENDING.payload else "")


def name_throttled_starts() -> None:
    """Name a throttled function Lambda.TooManyRequestsException in a state machine.

    Source: Step Functions Developer Guide, "Handle Lambda service exceptions".
    """
    from ministack.services import stepfunctions

    call = stepfunctions._call_lambda

    def call_and_name(function: Any, event: Any) -> Any:
        try:
            return call(function, event)
        except stepfunctions._ExecutionError as error:
            name = _service_error(error.cause)
            if error.error != "Lambda.Unknown" or not name:
                raise
            cause = "Rate Exceeded. (Service: Lambda, Status Code: 429)"
            raise stepfunctions._ExecutionError(f"Lambda.{name}", cause) from None

    stepfunctions._call_lambda = call_and_name


def _service_error(cause: str) -> str:
    """Return the name of Lambda's own error; empty for a function's."""
    try:
        return str(json.loads(cause).get("__type", ""))
    except (ValueError, AttributeError):
        return ""


def reserve_concurrency() -> None:
    """Let CloudFormation set and remove a function's ReservedConcurrentExecutions."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]
    name = "ReservedConcurrentExecutions"

    def reserve(function: str, properties: dict[str, Any]) -> None:
        reserved = properties.get(name)
        lambda_svc._functions[function]["concurrency"] = None if reserved is None else int(reserved)

    def create_reserved(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, properties, stack_name)
        reserve(created[0], properties)
        return created

    def update_reserved(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, *rest: Any, **more: Any
    ) -> Any:
        updated = update(physical_id, old, new, stack_name, *rest, **more)
        if old.get(name) != new.get(name):  # keep a value that was set by hand
            reserve(updated[0], new)
        return updated

    handlers["create"], handlers["update"] = create_reserved, update_reserved
