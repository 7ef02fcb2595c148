"""Corrects the states of a workflow: delays of a Retry, JSONPaths, and Maps after StopExecution."""

from __future__ import annotations

import json
import random
from typing import Any


def delay_retries_as_told() -> None:
    """Follow MaxDelaySeconds and JitterStrategy of a Retry, which are ignored."""
    from ministack.services import stepfunctions

    find = stepfunctions._find_matching_retrier

    def find_with_delay(retriers: Any, error: str, counts: dict[int, int]) -> Any:
        retrier, index = find(retriers, error, counts)
        if retrier is None:
            return retrier, index
        delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** counts.get(index, 0)
        delay = min(delay, retrier.get("MaxDelaySeconds", delay))
        if retrier.get("JitterStrategy") == "FULL":
            delay = random.uniform(0, delay)  # noqa: S311
        return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1.0}, index

    stepfunctions._find_matching_retrier = find_with_delay


def refuse_missing_paths() -> None:
    """Fail an execution with States.Runtime, which States.ALL doesn't catch, at a JSONPath that leads nowhere."""
    from ministack.services import stepfunctions

    resolve, evaluate = stepfunctions._resolve_path, stepfunctions._evaluate_rule
    matches = stepfunctions._error_matches

    def resolve_or_fail(path: str, data: Any) -> Any:
        value = resolve(path, data)
        if value is None and not _is_present(stepfunctions, path, data):
            raise stepfunctions._ExecutionError(
                "States.Runtime", f"The JSONPath '{path}' could not be found in the input '{json.dumps(data)[:1000]}'"
            )
        return value

    def evaluate_presence(rule: dict[str, Any], data: Any, context: Any = None) -> Any:
        if "IsPresent" not in rule:
            return evaluate(rule, data, context)
        variable = rule["Variable"]
        source, path = (context, variable[1:]) if variable.startswith("$$.") else (data, variable)
        return _is_present(stepfunctions, path, source) == rule["IsPresent"]

    def match_error(names: list[str], error: str) -> Any:
        return error in names if error == "States.Runtime" else matches(names, error)

    stepfunctions._resolve_path, stepfunctions._evaluate_rule = resolve_or_fail, evaluate_presence
    stepfunctions._error_matches = match_error


def _is_present(stepfunctions: Any, path: str, data: Any) -> bool:
    """Whether a path leads to a value, null included; a path with wildcards always leads to a list."""
    tokens = stepfunctions._parse_jsonpath_tokens(path)
    if not path.startswith("$") or (tokens and any(kind == "wildcard" for kind, _ in tokens)):
        return True
    for kind, key in tokens or ([] if path == "$" else [("field", None)]):
        inside = (
            (isinstance(data, dict) and key in data)
            if kind == "field"
            else (isinstance(data, list) and key < len(data))
        )
        if not inside:
            return False
        data = data[key]
    return True


def stop_stopped_executions() -> None:
    """End a Map's work at StopExecution, and keep ABORTED when a late failure comes in."""
    from ministack.services import stepfunctions

    execute_task, fail = stepfunctions._execute_task, stepfunctions._fail_execution

    def execute_while_running(state: Any, data: Any, execution: Any, context: Any) -> Any:
        if execution["status"] != "RUNNING":
            raise stepfunctions._ExecutionError("States.Runtime", "The execution has been stopped")
        return execute_task(state, data, execution, context)

    def fail_once(execution: Any, error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    stepfunctions._execute_task, stepfunctions._fail_execution = execute_while_running, fail_once
