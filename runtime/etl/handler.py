"""The edge of a function: it parses the event, translates errors, and writes log, metrics and trace."""

import logging
import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from etl.aws.clients import BRIDGE, explained
from etl.invocation import log, metrics
from etl.invocation.code_version import STORES, check_code, code_version
from etl.invocation.deadline import Deadline
from etl.invocation.trace import annotate, current_trace
from etl.model.counts import COUNTS
from etl.model.errors import (
    BalanceError,
    ConfigurationError,
    EtlError,
    QualityGateError,
    UnexpectedError,
    class_name,
)
from etl.model.names import SPECIFIED, namespace_of, prefix_of
from etl.model.run import Run, Work, totals
from etl.model.stages import PLAN
from etl.model.table_access import EXISTING
from etl.settings import log_level


class Context(Protocol):
    """The part of Lambda's context object that the pipeline uses."""

    def get_remaining_time_in_millis(self) -> int:
        """Time left in the invocation, in milliseconds."""
        ...


Event = Mapping[str, Any]
# In MiB, which Lambda calls MB.
MEMORY_SIZE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
FUNCTION_NAME = "AWS_LAMBDA_FUNCTION_NAME"
# You find the traces of a run, or of an error, by these.
_ANNOTATED = ("run", "execution", "error")
_T = TypeVar("_T")
# Source: DynamoDB API reference, Scan, TotalSegments.
_MOST_SEGMENTS = 1_000_000
# No person writes the event of a worker: the workflow's definition makes it.
_SENDER = "the workflow makes the event: deploy the stack again, and start a new run of the window"
Action = Callable[[Event, Deadline], Any]


def run_action(event: Any, context: Context, actions: Mapping[str, Action]) -> Any:
    """Run the action that the event names, and return its result in JSON's own types.

    Raises:
        EtlError: the invocation failed. The class decides how the workflow continues.
    """
    log.configure(log_level(os.environ))
    name = event.get("action", "") if isinstance(event, Mapping) else None
    if not isinstance(name, str) or name not in actions:
        _keep_to_code(event)  # other code may have other actions
        got = repr(name[:80]) if isinstance(name, str) else f"a {type(name).__name__}"
        raise ConfigurationError(f"action must be one of {', '.join(actions)}, got {got}; the workflow sets it")
    BRIDGE.within(context.get_remaining_time_in_millis)
    record = _InvocationRecord(name, event, context)
    try:
        _keep_to_code(event)
        result = actions[name](event, Deadline(context.get_remaining_time_in_millis))
    except Exception as error:
        # The message of an error of ours has no contents of a record. No other message leaves the function.
        record.failed(error)
        if isinstance(error, (ClientError, BotoCoreError)):
            existing = any(name in os.environ for name in EXISTING)
            raise explained(error, _resources(os.environ), existing=existing) from None
        if isinstance(error, EtlError):
            # The log has the traceback, which would fill the execution's cause.
            raise error.with_traceback(None) from None
        raise _unexpected(error) from None
    record.succeeded(result)
    return msgspec.to_builtins(result)


def _keep_to_code(event: Any) -> None:
    """Check that this code planned the run; the event of Plan has no run yet."""
    if isinstance(event, Mapping):
        check_code(event.get("run"), code_version(os.environ.get(STORES, "")))


class _InvocationRecord:
    """Records how an invocation ended: in one line of the log, which has its metrics too, and in X-Ray's trace."""

    def __init__(self, name: str, event: Event, context: Context) -> None:
        self._name = name
        self._event = event
        self._context = context
        self._facts = _facts(name, event)
        self._trace = current_trace(os.environ)
        self._began = time.time()
        self._clock = time.monotonic()

    def succeeded(self, result: Any) -> None:
        """Record that the action returned this result."""
        if isinstance(result, Work):
            outcome = {"counts": result.by_name(), "done": result.done}
            values = metrics.worked(self._name, work_of(self._event), result)
        else:
            outcome = {"counts": result.get("counts"), "done": True}
            values = self._rejected_share()
            if self._name == PLAN:
                self._facts["run"] = result["run"].id
        self._write(logging.INFO, "finished", outcome, values)

    def failed(self, error: Exception) -> None:
        """Record that the action raised this error, which is being handled."""
        values = self._rejected_share() if isinstance(error, QualityGateError) else {}
        self._write(logging.ERROR, "failed", {"error": class_name(error)}, values)

    def _rejected_share(self) -> dict[str, float]:
        """The share that Gate and Finish judge; empty for a replay, which may reject any share."""
        if "segments" not in self._event or run_of(self._event).replay:
            return {}
        counts = totals(segments_of(self._event))
        before = self._event.get("gate", {}).get("counts", {})
        return metrics.judged_share(self._name, {name: count + before.get(name, 0) for name, count in counts.items()})

    def _write(self, level: int, message: str, outcome: dict[str, Any], values: dict[str, float]) -> None:
        ended, duration_ms = time.time(), round((time.monotonic() - self._clock) * 1000)
        remaining_ms, limit_mb = self._context.get_remaining_time_in_millis(), os.environ.get(MEMORY_SIZE, "inf")
        values |= metrics.used(self._name, duration_ms, remaining_ms, metrics.peak_memory_mb(), float(limit_mb))
        values["Retries"] = int(bool(self._event.get("retry")))  # how often the workflow has tried before
        facts = self._facts | outcome | {"duration_ms": duration_ms}
        namespace = namespace_of(prefix_of(os.environ.get(FUNCTION_NAME, f"{SPECIFIED}-{self._name}")))
        if self._trace:
            facts["trace"] = self._trace.root
            named = {name: str(facts[name]) for name in _ANNOTATED if facts.get(name) is not None}
            annotate(self._trace, self._name, (self._began, ended), named, os.environ)
        logging.getLogger(log.INVOCATIONS).log(
            level,
            message,
            exc_info=level == logging.ERROR,
            extra=facts | metrics.embedded(self._name, values, round(ended * 1000), namespace),
        )


def run_of(event: Event) -> Run:
    """The run in an event.

    Raises:
        ConfigurationError: there is none, or it is malformed.
    """
    run = _part(event, "run", Run)
    if not 1 <= run.segments <= _MOST_SEGMENTS:
        raise _unfit("run.segments", f"a whole number from 1 to {_MOST_SEGMENTS}", run.segments)
    return run


def work_of(event: Event) -> Work:
    """The work in a worker's event.

    Raises:
        ConfigurationError: there is none, or it is malformed.
    """
    return _checked("work", _part(event, "work", Work))


def segments_of(event: Event) -> list[Work]:
    """The work of all segments in the event of Gate or Finish, each segment exactly once.

    Raises:
        ConfigurationError: there is none, or it is malformed.
        BalanceError: a segment is missing or there twice.
    """
    run = run_of(event)
    # A Distributed Map that tolerates failed items puts nulls in their places.
    segments = [_checked("segments", work) for work in _part(event, "segments", list[Work | None]) if work is not None]
    numbers = sorted(work.segment for work in segments)
    if numbers != list(range(run.segments)):
        missing = sorted(set(range(run.segments)) - set(numbers))
        raise BalanceError(
            f"run {run.id} has {run.segments} segments and the workflow passed on {len(segments)}, "
            f"without {missing}; start a new run of the window {run.start} to {run.end}"
        )
    return segments


def _part(event: Event, name: str, kind: type[_T]) -> _T:
    """Parse a field of an event.

    Raises:
        ConfigurationError: the field is missing or malformed; the message names it.
    """
    if name not in event:
        raise ConfigurationError(f"{name} is missing in the event; {_SENDER}")
    try:
        return msgspec.convert(event[name], kind)
    except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors, and a lone surrogate's
        message = str(error).replace("`$", f"`{name}")
        where = "" if f"`{name}" in message else f" - at `{name}`"
        raise ConfigurationError(f"the event is malformed: {message}{where}; {_SENDER}") from None


def _checked(name: str, work: Work) -> Work:
    """Check that the numbers of a work are possible."""
    if work.segment < 0:
        raise _unfit(f"{name}.segment", "a whole number >= 0", work.segment)
    if len(work.counts) > len(COUNTS) or min(work.counts, default=0) < 0:
        raise _unfit(f"{name}.counts", f"at most {len(COUNTS)} whole numbers >= 0", work.counts[: len(COUNTS) + 1])
    return work


def _unfit(field: str, allowed: str, got: object) -> ConfigurationError:
    return ConfigurationError(f"{field} must be {allowed}, got {str(got)[:80]}; {_SENDER}")


def _unexpected(error: Exception) -> UnexpectedError:
    """Describe a fault of the functions' own code by its class and its place."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    file = frame.f_code.co_filename.rpartition("/")[2]
    return UnexpectedError(
        f"{class_name(error)} in {file}, line {line}: a fault of the pipeline's own code. The function's log has the "
        "traceback. The message of the error is omitted, since it may quote a record"
    )


def _resources(env: Mapping[str, str]) -> list[str]:
    """The tables, the roles for them, and the bucket that a function uses."""
    tables = ("SOURCE_TABLE", "SOURCE_ROLE_ARN", "DESTINATION_TABLE", "EXISTING_DESTINATION", "DESTINATION_ROLE_ARN")
    names = (*tables, "STAGING_BUCKET")
    return list(dict.fromkeys(env[name] for name in names if name in env))


def _facts(name: str, event: Event) -> dict[str, Any]:
    """The facts by which you find the log line of an invocation."""
    run, work, execution = (
        part if isinstance(part := event.get(each), Mapping) else {} for each in ("run", "work", "execution")
    )
    arn = run.get("execution") or execution.get("id") or ""
    return {
        "action": name,
        "run": run.get("timestamp"),
        "execution": str(arn).rpartition(":")[2] or None,
        "segment": work.get("segment"),
    }
