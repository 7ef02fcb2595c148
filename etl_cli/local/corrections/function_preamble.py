"""Runs in the process of a Python function, in front of ministack's own bootstrap.

Its text is put there by etl_cli/local/corrections/function_errors.py: it imports nothing but the standard library.
"""

import json
import os
import sys
import traceback
from typing import Any

# Only the function's folder, the standard library, and what AWS's runtime brings.
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
    """What ministack is told of an exception of the handler: AWS's description of it is the `payload`."""
    frames = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    payload = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": [frame.replace(code_dir, "/var/task") for frame in frames],
    }
    return {"status": "error", "error": str(error), "trace": traceback.format_exc(), "payload": payload}


def etl_init_failure(error: Exception, module: str, handler: str) -> dict[str, Any]:
    """What ministack is told of a failed import: AWS's description of it, as JSON in `error`."""
    kind, message = type(error).__name__, str(error)
    if isinstance(error, ImportError):
        kind, message = "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
    elif isinstance(error, SyntaxError):
        kind, message = "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}"
    elif isinstance(error, AttributeError) and f"'{handler}'" in str(error):
        kind, message = "Runtime.HandlerNotFound", f"Handler '{handler}' missing on module '{module}'"
    return {"status": "error", "error": json.dumps({"errorMessage": message, "errorType": kind, "stackTrace": []})}
