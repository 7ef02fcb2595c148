"""Names the errors of Python functions as AWS does: by the exception, or by the end of the process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from etl_cli.local.corrections.function_ends import INVOCATION_END
from etl_cli.local.corrections.upstream import replaced

_INIT_FAILED = "Worker init failed: "


def name_function_errors() -> None:
    """Report a failure with its class and stack trace, or by its process's end.

    Retry and Catch match the class. ministack names every failure Runtime.HandlerError, without a stack trace.
    """
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    script = replaced(
        lambda_runtime._PYTHON_WORKER_SCRIPT,
        'json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()})',
        'json.dumps(etl_failure(e, code_dir, _ms_ctx.get("request_id", "")))',
    )
    preamble = Path(__file__).with_name("function_preamble.py").read_text(encoding="utf-8")
    lambda_runtime._PYTHON_WORKER_SCRIPT = preamble + replaced(
        script,
        'json.dumps({"status": "error", "error": str(e)})',
        "json.dumps(etl_init_failure(e, module_name, handler_name))",
    )
    spawn, invoke = lambda_runtime.Worker._spawn, lambda_runtime.Worker.invoke
    execute = lambda_svc._execute_function_warm

    def remembering_spawn(worker: Any) -> None:
        try:
            spawn(worker)
        except RuntimeError as error:
            text = str(error)
            if text.startswith(_INIT_FAILED + "{"):
                INVOCATION_END.payload = json.loads(text.removeprefix(_INIT_FAILED))
            elif text.startswith("Worker process exited immediately"):
                INVOCATION_END.payload = _exit_payload(worker._proc)
            raise
        worker.etl_process = worker._proc

    def remembering_invoke(worker: Any, *args: Any, **kwargs: Any) -> Any:
        result = invoke(worker, *args, **kwargs)
        if result["status"] != "error":
            return result
        INVOCATION_END.timed_out = str(result.get("error", "")).startswith("Task timed out after ")
        if "payload" in result:
            INVOCATION_END.payload = result["payload"]
        elif "trace" not in result:  # it gave no reason
            result["trace"] = ""
            if not INVOCATION_END.timed_out:
                INVOCATION_END.payload = _exit_payload(worker.etl_process)
        return result

    def naming_execute(func: Any, event: Any, request_id: str) -> Any:
        INVOCATION_END.begin()
        result = execute(func, event, request_id)
        if result.get("error") and INVOCATION_END.payload:
            result["body"] = INVOCATION_END.payload
            if "stackTrace" in INVOCATION_END.payload:  # ministack doesn't log a failed import
                result["log"] = result["log"] or "[ERROR] {errorType}: {errorMessage}".format(**INVOCATION_END.payload)
        return result

    lambda_runtime.Worker._spawn, lambda_runtime.Worker.invoke = remembering_spawn, remembering_invoke
    lambda_svc._execute_function_warm = naming_execute


def _exit_payload(process: Any) -> dict[str, Any]:
    """Make the payload of a function whose process died, in AWS's words."""
    code = process.wait(timeout=1) if process is not None else None
    if code is None or code in (0, -15):  # -15: ministack ended it because its output was closed
        reason = "Runtime exited without providing a reason"
    else:
        reason = f"Runtime exited with error: {f'exit status {code}' if code > 0 else f'signal: {-code}'}"
    return {"errorMessage": f"Error: {reason}", "errorType": "Runtime.ExitError"}
