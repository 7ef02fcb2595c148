"""The end of an invocation in the embedded AWS: the caller's answer, and Lambda's REPORT line."""

from __future__ import annotations

import json
import threading
from typing import Any

from etl_cli.local.corrections.upstream import Properties, after_deployment


class _InvocationEnd(threading.local):
    """The end of the invocation that this thread waits for."""

    payload: dict[str, Any] | None = None  # AWS's description of a failure; None for ministack's own
    timed_out: bool = False
    memory_mb: int | None = None  # the process's peak, in MiB

    def begin(self) -> None:
        """Forget the thread's last invocation."""
        self.payload, self.timed_out, self.memory_mb = None, False, None


INVOCATION_END = _InvocationEnd()


def report_ends() -> None:
    """Add the failure and the peak memory to the REPORT line: no other line shows a time-out.

    ``Status: timeout``, or ``Status: error`` and ``Error Type: …``, follow "Max Memory Used", which is at most the
    function's memory. Since 2026 AWS no longer writes "Task timed out after …" and "Runtime exited with error: …".
    """
    from ministack.services import lambda_svc

    emit, probe = lambda_svc._emit_lambda_logs, lambda_svc._probe_peak_memory_mb

    def emit_with_report(
        func: Any, request_id: str, log_text: str, error: bool, duration_ms: int, *, log_source: str | None = None
    ) -> None:
        if log_source is not None:
            emit(func, request_id, log_text, error, duration_ms, log_source=log_source)
            return
        config = func.get("config") or func
        used = INVOCATION_END.memory_mb if INVOCATION_END.memory_mb is not None else probe(func)
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
    if INVOCATION_END.timed_out:
        return "\tStatus: timeout"
    if not failed:
        return ""
    payload = INVOCATION_END.payload
    return "\tStatus: error" + (f"\tError Type: {payload['errorType']}" if payload else "")


def name_throttled_starts() -> None:
    """Name a throttled function Lambda.TooManyRequestsException in a state machine, not Lambda.Unknown.

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
    """Let CloudFormation set and remove a function's ReservedConcurrentExecutions, which it drops."""
    from ministack.services import lambda_svc

    def reserve(function: str, old: Properties, new: Properties, _: str) -> None:
        before, reserved = (each.get("ReservedConcurrentExecutions") for each in (old, new))
        if before != reserved:  # keep a value that was set by hand
            lambda_svc._functions[function]["concurrency"] = None if reserved is None else int(reserved)

    after_deployment("AWS::Lambda::Function", reserve)
