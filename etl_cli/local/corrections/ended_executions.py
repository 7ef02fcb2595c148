"""Ends every execution of the embedded AWS: in time, or with its error."""

from __future__ import annotations

import contextvars
import json
import logging
import threading
from concurrent.futures import Future
from typing import Any

TIME_OUT = "States.Timeout"


def end_executions() -> None:
    """End an execution whose thread breaks as FAILED, and refuse an input that isn't JSON.

    "InvalidExecutionInput: The provided JSON input data is not valid" (Step Functions API Reference, StartExecution).
    Python can't read some valid JSON: nested too deeply, or numbers of more than 4,300 digits. AWS documents a limit
    only for its size, so such an execution begins, and fails with States.Runtime.
    """
    from ministack.services import stepfunctions

    start, run, wait = stepfunctions._start_execution, stepfunctions._run_execution, stepfunctions.futures_wait

    def start_with_json(data: dict[str, Any]) -> Any:
        try:
            json.loads(data.get("input") or "{}")
        except json.JSONDecodeError as error:
            return stepfunctions.error_response_json(
                "InvalidExecutionInput", f"Invalid State Machine Input: {error}", 400
            )
        except (ValueError, RecursionError):
            pass  # it is JSON that Python can't read
        return start(data)

    def run_to_an_end(arn: str) -> None:
        try:
            run(arn)
        except Exception as error:
            logging.getLogger("states").exception("The execution %s broke", arn)
            cause = f"{type(error).__name__}: {error}"
            stepfunctions._fail_execution(stepfunctions._executions[arn], "States.Runtime", cause)

    def wait_for_results(futures: list[Future[Any]]) -> Any:
        done = wait(futures)
        for future in futures:  # of a Distributed Map: raise its error, which would be null in the result
            future.result()
        return done

    stepfunctions._start_execution, stepfunctions._run_execution = start_with_json, run_to_an_end
    stepfunctions.futures_wait = wait_for_results


def time_executions_out() -> None:
    """End an execution as TIMED_OUT after its state machine's TimeoutSeconds.

    "If it runs longer than the specified time, the execution fails with a States.Timeout Error Name" (Step Functions
    Developer Guide, "State machine structure in Amazon States Language"). Its history ends with ExecutionTimedOut
    (API Reference, HistoryEvent), and its workers add nothing afterwards.
    """
    from ministack.services import stepfunctions

    run, add = stepfunctions._run_execution, stepfunctions._add_event

    def time_out(execution: dict[str, Any]) -> None:
        if execution["status"] == "RUNNING":
            execution |= {"status": "TIMED_OUT", "error": TIME_OUT, "stopDate": stepfunctions.now_iso()}
            add(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": TIME_OUT}})
            stepfunctions._emit_execution_status_event(execution)

    def add_while_running(execution: dict[str, Any], kind: str, details: Any = None) -> Any:
        if execution["status"] == "TIMED_OUT":
            return execution["events"][-1]
        return add(execution, kind, details)

    def run_in_time(arn: str) -> None:
        execution = stepfunctions._executions[arn]
        seconds = _time_limit(stepfunctions._state_machines.get(execution["stateMachineArn"]))
        if seconds is None:
            run(arn)
            return
        # A new thread lacks the context, which has the account and the region.
        timer = threading.Timer(seconds, contextvars.copy_context().run, (time_out, execution))
        timer.daemon = True
        timer.start()
        try:
            run(arn)
        finally:
            timer.cancel()

    stepfunctions._run_execution, stepfunctions._add_event = run_in_time, add_while_running


def _time_limit(machine: dict[str, Any] | None) -> float | None:
    try:
        seconds = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
    except (ValueError, AttributeError):
        return None  # the execution fails with this definition
    return seconds if isinstance(seconds, int | float) else None
