"""Makes the embedded AWS (ministack) behave as AWS does, where the pipeline depends on it.

The corrections are applied in the server's own process before it starts; nothing is written to the installed
package. Each replaces named parts of one exact version of ministack. tests/local/test_corrections.py runs every
behaviour against the uncorrected server too, and fails when a correction is no longer needed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl_cli.local.corrections.ended_executions import end_executions, time_executions_out
from etl_cli.local.corrections.function_ends import name_throttled_starts, report_ends, reserve_concurrency
from etl_cli.local.corrections.function_errors import name_function_errors
from etl_cli.local.corrections.function_memory import limit_memory
from etl_cli.local.corrections.item_sizes import count_read_units, measure_tables
from etl_cli.local.corrections.linked_history import link_history
from etl_cli.local.corrections.parsed_expressions import parse_expressions_once
from etl_cli.local.corrections.upstream import MINISTACK_VERSION, CorrectionError

# What AWS's Python runtime brings beside the standard library (Lambda developer guide, "Runtime-included SDK").
RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@dataclass(frozen=True)
class Correction:
    """One difference between ministack and AWS, and what removes it."""

    name: str
    reason: str
    apply: Callable[[], None]


def apply_all() -> None:
    """Apply every correction to the ministack of this process.

    Raises:
        CorrectionError: ministack is not of version MINISTACK_VERSION, or lacks a part to be corrected.
    """
    version = importlib.metadata.version("ministack")
    if version != MINISTACK_VERSION:
        raise CorrectionError(
            f"ministack {version} is installed, but etl_cli/local/corrections/apply.py corrects {MINISTACK_VERSION}. "
            "Run `make setup` to install the locked version; after an upgrade, review the corrections."
        )
    for correction in CORRECTIONS:
        correction.apply()


def _keep_bucket_tags() -> None:
    from ministack.services import s3
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create, update = handlers["create"], handlers["update"]

    def set_tags(name: str, properties: dict[str, Any], stack_name: str) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        s3._bucket_tags[name] = {"aws:cloudformation:stack-name": stack_name, **tags}

    def tagged_create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, properties, stack_name)
        set_tags(created[0], properties, stack_name)
        return created

    def tagged_update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Any:
        updated = update(physical_id, old, new, stack_name)
        set_tags(updated[0], new, stack_name)
        return updated

    handlers["create"], handlers["update"] = tagged_create, tagged_update


def _isolate_functions() -> None:
    packages = Path(os.environ["TMPDIR"]) / "lambda-packages"
    packages.mkdir(exist_ok=True)
    for name in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise CorrectionError(f"the package {name}, which AWS's Python runtime has, is not installed: `make setup`")
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        link = packages / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    os.environ["ETL_LAMBDA_PACKAGES"] = str(packages)


def _delay_retries_as_told() -> None:
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


def _refuse_missing_paths() -> None:
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
    """Whether a path leads to a value, null included; paths with wildcards lead to a list, if only an empty one."""
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


def _stop_stopped_executions() -> None:
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


def _log_as_the_role_may() -> None:
    from ministack.core import iam_evaluator
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def may_log(config: dict[str, Any]) -> bool:
        region, account = config["FunctionArn"].split(":")[3:5]
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        policies = iam_evaluator._gather_role_policies(config["Role"].rpartition("/")[2], account)
        requests = [
            iam_evaluator.EvalContext(
                principal_arn=config["Role"],
                principal_type="AssumedRole",
                principal_account=account,
                action=action,
                resource_arn=f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:any",
                region=region,
            )
            for action in ("logs:CreateLogStream", "logs:PutLogEvents")
        ]
        return all(iam_evaluator.evaluate(each, policies).decision == "Allow" for each in requests)

    def emit_if_allowed(func: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        from ministack.app import AUTH  # can only be imported once the server runs

        if not AUTH or may_log(func.get("config") or func):
            emit(func, *args, **kwargs)

    lambda_svc._emit_lambda_logs = emit_if_allowed


CORRECTIONS = (
    Correction(
        "bucket-tags",
        "CloudFormation drops a bucket's tags, and CDK's auto-delete handler empties only a bucket that has its tag",
        _keep_bucket_tags,
    ),
    Correction(
        "function-errors",
        "every failure of a Python function is a Runtime.HandlerError without a stack trace; "
        "on AWS it has the exception's class name, which Retry and Catch match",
        name_function_errors,
    ),
    Correction(
        "function-memory",
        "a function may have any amount of memory; on AWS it is killed, with the error Runtime.OutOfMemory",
        limit_memory,
    ),
    Correction(
        "function-reports",
        "a REPORT line doesn't say how an invocation failed, nor how much memory its process has had; on AWS it does, "
        "and is the only trace of a time-out or a death",
        report_ends,
    ),
    Correction(
        "throttled-starts",
        "a state machine sees a function that can't be started now as Lambda.Unknown; on AWS, as "
        "Lambda.TooManyRequestsException",
        name_throttled_starts,
    ),
    Correction(
        "reserved-concurrency",
        "CloudFormation drops a function's ReservedConcurrentExecutions",
        reserve_concurrency,
    ),
    Correction(
        "function-packages",
        "functions can import all that is installed beside the server; on AWS, their zip and the runtime's packages",
        _isolate_functions,
    ),
    Correction("retry-delays", "MaxDelaySeconds and JitterStrategy of a Retry are ignored", _delay_retries_as_told),
    Correction(
        "missing-paths",
        "a JSONPath that leads nowhere gives null; on AWS it fails the execution with States.Runtime, "
        "which States.ALL does not catch",
        _refuse_missing_paths,
    ),
    Correction(
        "stopped-executions",
        "a Map works on through its items after StopExecution, and a late failure turns ABORTED into FAILED",
        _stop_stopped_executions,
    ),
    Correction(
        "function-logs",
        "a function's log is written whatever its role may do; on AWS, Lambda writes it with the function's role, "
        "and without its permission there is none",
        _log_as_the_role_may,
    ),
    Correction(
        "linked-history",
        "no event of a history says which came before it, nor to which item of a Map it belongs",
        link_history,
    ),
    Correction(
        "ended-executions",
        "an execution with an input that Python can't take never ends, and one with an input that isn't JSON begins",
        end_executions,
    ),
    Correction(
        "parsed-expressions",
        "a filter is parsed for each item anew, so that a page takes a multiple of its time",
        parse_expressions_once,
    ),
    Correction(
        "read-units",
        "a read consumes one unit or half of one, however much it reads; on AWS, by each 4 KB",
        count_read_units,
    ),
    Correction("table-size", "a table has 200 bytes for each item, however large the items are", measure_tables),
    Correction("timed-out-executions", "a state machine's TimeoutSeconds is ignored", time_executions_out),
)
