"""Makes the embedded AWS (ministack) behave like AWS where the pipeline depends on it.

The corrections work in the server's own process and leave the installed package unchanged. Each replaces named parts of
one exact version of ministack. tests/local/test_corrections.py checks every behaviour against the uncorrected server
too, and fails when a correction is no longer needed.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass

from etl_cli.local.corrections.ended_executions import end_executions, time_executions_out
from etl_cli.local.corrections.function_ends import name_throttled_starts, report_ends, reserve_concurrency
from etl_cli.local.corrections.function_errors import name_function_errors
from etl_cli.local.corrections.function_memory import limit_memory
from etl_cli.local.corrections.function_surroundings import isolate_functions, keep_bucket_tags, log_as_the_role_may
from etl_cli.local.corrections.item_sizes import count_read_units, measure_tables
from etl_cli.local.corrections.linked_history import link_history
from etl_cli.local.corrections.parsed_expressions import parse_expressions_once
from etl_cli.local.corrections.upstream import MINISTACK_VERSION, CorrectionError
from etl_cli.local.corrections.workflow import delay_retries_as_told, refuse_missing_paths, stop_stopped_executions


@dataclass(frozen=True)
class Correction:
    """One difference between ministack and AWS, with the function that removes it."""

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


CORRECTIONS = (
    Correction(
        "bucket-tags",
        "CloudFormation drops a bucket's tags; CDK's auto-delete handler empties only a bucket with its tag",
        keep_bucket_tags,
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
        "a REPORT line lacks the failure and the peak memory; on AWS it has them: no other line shows a time-out",
        report_ends,
    ),
    Correction(
        "throttled-starts",
        "a throttled function is Lambda.Unknown in a state machine; on AWS, Lambda.TooManyRequestsException",
        name_throttled_starts,
    ),
    Correction(
        "reserved-concurrency",
        "CloudFormation drops a function's ReservedConcurrentExecutions",
        reserve_concurrency,
    ),
    Correction(
        "function-packages",
        "functions can import every package of the server; on AWS, their zip and the runtime's packages",
        isolate_functions,
    ),
    Correction("retry-delays", "MaxDelaySeconds and JitterStrategy of a Retry are ignored", delay_retries_as_told),
    Correction(
        "missing-paths",
        "a JSONPath that leads nowhere gives null; on AWS it fails the execution with States.Runtime, "
        "which States.ALL does not catch",
        refuse_missing_paths,
    ),
    Correction(
        "stopped-executions",
        "a Map continues after StopExecution, and a late failure turns ABORTED into FAILED",
        stop_stopped_executions,
    ),
    Correction(
        "function-logs",
        "a function's log is written without its role's permission; on AWS, Lambda writes it with that role",
        log_as_the_role_may,
    ),
    Correction(
        "linked-history",
        "events of a history lack the id of the one before, and the item of a Map that they belong to",
        link_history,
    ),
    Correction(
        "ended-executions",
        "an execution with an input that Python can't read never ends, and one with an input that isn't JSON begins",
        end_executions,
    ),
    Correction(
        "parsed-expressions",
        "a filter is parsed again for each item, which multiplies a page's time",
        parse_expressions_once,
    ),
    Correction(
        "read-units",
        "a read of any size consumes one unit or half of one; on AWS, one for each 4 KB",
        count_read_units,
    ),
    Correction("table-size", "a table counts 200 bytes for each item of any size", measure_tables),
    Correction("timed-out-executions", "a state machine's TimeoutSeconds is ignored", time_executions_out),
)
