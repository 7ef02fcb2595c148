"""Runs in the process of a Python function, before ministack's own bootstrap.

function_errors.py puts its text there, so it imports only the standard library.
"""

import json
import os
import sys
import traceback
from typing import Any

# Only the function's folder, the standard library, and the packages of AWS's runtime.
sys.path[:] = [
    sys.path[0],
    *(
        path
        for path in sys.path[1:]
        if path.startswith(sys.base_prefix) and "site-packages" not in path and "dist-packages" not in path
    ),
    os.environ["ETL_LAMBDA_PACKAGES"],
]


def etl_failure(error: Exception, code_dir: str, request_id: str) -> dict[str, Any]:
    """Describe an exception of the handler to ministack; `payload` has AWS's description."""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    payload = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": [frame.replace(code_dir, "/var/task") for frame in frames],
    }
    return {"status": "error", "error": str(error), "trace": traceback.format_exc(), "payload": payload}


def etl_init_failure(error: Exception, module: str, handler: str) -> dict[str, Any]:
    """Describe a failed import to ministack; `error` has AWS's description as JSON."""
    kind, message = type(error).__name__, str(error)
    if isinstance(error, ImportError):
        kind, message = "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
    elif isinstance(error, SyntaxError):
        kind, message = "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}"
    elif isinstance(error, AttributeError) and f"'{handler}'" in str(error):
        kind, message = "Runtime.HandlerNotFound", f"Handler '{handler}' missing on module '{module}'"
    return {"status": "error", "error": json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": []})}
