"""Makes the embedded AWS (ministack) behave like AWS where the pipeline depends on it.

The corrections work in the server's own process and leave the installed package unchanged. Each replaces named parts of
one exact version of ministack. tests/local/test_corrections.py checks every behaviour against the uncorrected server
too, and fails when a correction is no longer needed. The docstring of each function below has its reason.
"""

from __future__ import annotations

import importlib.metadata

from etl_cli.local.corrections.ended_executions import end_executions, time_executions_out
from etl_cli.local.corrections.filters import refuse_filters
from etl_cli.local.corrections.function_ends import name_throttled_starts, report_ends, reserve_concurrency
from etl_cli.local.corrections.function_errors import name_function_errors
from etl_cli.local.corrections.function_memory import limit_memory
from etl_cli.local.corrections.function_surroundings import isolate_functions, keep_bucket_tags, log_as_the_role_may
from etl_cli.local.corrections.item_sizes import count_read_units, measure_tables
from etl_cli.local.corrections.linked_history import link_history
from etl_cli.local.corrections.parsed_expressions import parse_expressions_once
from etl_cli.local.corrections.upstream import MINISTACK_VERSION, CorrectionError
from etl_cli.local.corrections.workflow import delay_retries_as_told, refuse_missing_paths, stop_stopped_executions

CORRECTIONS = (
    keep_bucket_tags,
    name_function_errors,
    limit_memory,
    report_ends,
    name_throttled_starts,
    reserve_concurrency,
    isolate_functions,
    delay_retries_as_told,
    refuse_missing_paths,
    stop_stopped_executions,
    log_as_the_role_may,
    link_history,
    end_executions,
    parse_expressions_once,
    refuse_filters,
    count_read_units,
    measure_tables,
    time_executions_out,
)


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
    for correct in CORRECTIONS:
        correct()
