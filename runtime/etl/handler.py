"""The edge of a function: what its event asks for, what its errors become, what log, metrics and trace say of it."""

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
from etl.model.run import Run, Work, totals


class Context(Protocol):
    """What the pipeline uses of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Time left in the invocation, in milliseconds."""
        ...


Event = Mapping[str, Any]
# In MiB, which Lambda calls MB.
MEMORY_SIZE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
# By what the traces of a run, or of an error, are found.
_ANNOTATED = ("run", "execution", "error")
_T = TypeVar("_T")
# Source: DynamoDB API reference, Scan, TotalSegments.
_MOST_SEGMENTS = 1_000_000
# A worker's event is not a person's to write: it is made by the workflow's definition.
_SENDER = "the workflow makes it: deploy the stack again, and start a new run of the window"
Action = Callable[[Event, Deadline], Any]


def run_action(event: Any, context: Context, actions: Mapping[str, Action]) -> Any:
    """Run what ``event["action"]`` names, and answer with its result as JSON's own types.

    Raises:
        EtlError: the invocation failed; the concrete class decides what the workflow does.
    """
    log.configure(os.environ.get("LOG_LEVEL", "INFO"))
    name = event.get("action", "") if isinstance(event, Mapping) else None
    if not isinstance(name, str) or name not in actions:
        _keep_to_code(event)  # another version may have other actions
        got = repr(name[:80]) if isinstance(name, str) else f"a {type(name).__name__}"
        raise ConfigurationError(f"action must be one of {', '.join(actions)}, got {got}; the workflow sets it")
    BRIDGE.within(context.get_remaining_time_in_millis)
    ending = _Ending(name, event, context)
    try:
        _keep_to_code(event)
        result = actions[name](event, Deadline(context.get_remaining_time_in_millis))
    except Exception as error:
        # The message of an error of ours names no record's contents, and no other message leaves the function.
        ending.failed(error)
        if isinstance(error, (ClientError, BotoCoreError)):
            raise explained(error, _resources(os.environ)) from None
        if isinstance(error, EtlError):
            # Its message is what a person needs; the traceback is in the log, and would fill the execution's cause.
            raise error.with_traceback(None) from None
        raise _unexpected(error) from None
    ending.succeeded(result)
    return msgspec.to_builtins(result)


def _keep_to_code(event: Any) -> None:
    """Go on with a run only by the code that planned it; a plan has no run yet."""
    if isinstance(event, Mapping):
        check_code(event.get("run"), code_version(os.environ.get(STORES, "")))


class _Ending:
    """Tells how an invocation ended: by one line of the log, which is its metrics as well, and in X-Ray's trace."""

    def __init__(self, name: str, event: Event, context: Context) -> None:
        self._name = name
        self._event = event
        self._context = context
        self._facts = _facts(name, event)
        self._trace = current_trace(os.environ)
        self._began = time.time()
        self._clock = time.monotonic()

    def succeeded(self, result: Any) -> None:
        """The action has done its work, and this is its result."""
        if isinstance(result, Work):
            outcome = {"counts": result.by_name(), "done": result.done}
            values = metrics.worked(self._name, work_of(self._event), result)
        else:
            outcome = {"counts": result.get("counts"), "done": True}
            values = self._rejected_share()
            if self._name == "plan":
                self._facts["run"] = result["run"].id
        self._tell(logging.INFO, "finished", outcome, values)

    def failed(self, error: Exception) -> None:
        """The action has raised this error, which is being handled."""
        values = self._rejected_share() if isinstance(error, QualityGateError) else {}
        self._tell(logging.ERROR, "failed", {"error": class_name(error)}, values)

    def _rejected_share(self) -> dict[str, float]:
        """What Gate and Finish look at. A replay may reject any share, and has none."""
        if "segments" not in self._event or run_of(self._event).replay:
            return {}
        counts = totals(segments_of(self._event))
        before = self._event.get("gate", {}).get("counts", {})
        return metrics.rejected_share(self._name, {name: count + before.get(name, 0) for name, count in counts.items()})

    def _tell(self, level: int, message: str, outcome: dict[str, Any], values: dict[str, float]) -> None:
        ended, duration_ms = time.time(), round((time.monotonic() - self._clock) * 1000)
        remaining_ms, limit_mb = self._context.get_remaining_time_in_millis(), os.environ.get(MEMORY_SIZE, "inf")
        values |= metrics.used(self._name, duration_ms, remaining_ms, metrics.peak_memory_mb(), float(limit_mb))
        values["Retries"] = int(bool(self._event.get("retry")))  # how often the workflow has tried before
        facts = self._facts | outcome | {"duration_ms": duration_ms}
        if self._trace:
            facts["trace"] = self._trace.root
            named = {name: str(facts[name]) for name in _ANNOTATED if facts.get(name) is not None}
            annotate(self._trace, self._name, (self._began, ended), named, os.environ)
        logging.getLogger(log.INVOCATIONS).log(
            level,
            message,
            exc_info=level == logging.ERROR,
            extra=facts | metrics.embedded(self._name, values, round(ended * 1000)),
        )


def run_of(event: Event) -> Run:
    """The run that a worker's event carries.

    Raises:
        ConfigurationError: the workflow gives none, or one that can't be.
    """
    run = _part(event, "run", Run)
    if not 1 <= run.segments <= _MOST_SEGMENTS:
        raise _unfit("run.segments", f"a whole number from 1 to {_MOST_SEGMENTS}", run.segments)
    return run


def work_of(event: Event) -> Work:
    """The work that a worker's event carries; a stage that starts afresh has no cursor.

    Raises:
        ConfigurationError: the workflow gives none, or one that can't be.
    """
    return _checked("work", _part(event, "work", Work))


def segments_of(event: Event) -> list[Work]:
    """The segments that gate and finish look at, each of the run's exactly once.

    Raises:
        ConfigurationError: the workflow gives none, or one that can't be.
        BalanceError: there are fewer or more.
    """
    run = run_of(event)
    # A Distributed Map that tolerates failed items leaves nulls in their places.
    segments = [_checked("segments", work) for work in _part(event, "segments", list[Work | None]) if work is not None]
    numbers = sorted(work.segment for work in segments)
    if numbers != list(range(run.segments)):
        missing = sorted(set(range(run.segments)) - set(numbers))
        raise BalanceError(
            f"run {run.id} has {run.segments} segments and the workflow brought {len(segments)}, "
            f"without {missing}: start a new run of the window {run.start} to {run.end}"
        )
    return segments


def _part(event: Event, name: str, kind: type[_T]) -> _T:
    """What lies under a name of an event, as the workflow makes it.

    Raises:
        ConfigurationError: it isn't there, or isn't of this kind; the field is named.
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
    """A work whose numbers can be a segment's."""
    if work.segment < 0:
        raise _unfit(f"{name}.segment", "a whole number >= 0", work.segment)
    if len(work.counts) > len(COUNTS) or min(work.counts, default=0) < 0:
        raise _unfit(f"{name}.counts", f"at most {len(COUNTS)} whole numbers >= 0", work.counts[: len(COUNTS) + 1])
    return work


def _unfit(field: str, allowed: str, got: object) -> ConfigurationError:
    return ConfigurationError(f"{field} must be {allowed}, got {str(got)[:80]}; {_SENDER}")


def _unexpected(error: Exception) -> UnexpectedError:
    """A fault of the functions' own code by its class and its place."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    file = frame.f_code.co_filename.rpartition("/")[2]
    return UnexpectedError(
        f"{class_name(error)} in {file}, line {line}: a fault of the pipeline's own code, whose traceback is in the "
        "function's log; its message isn't told, since it may quote a record"
    )


def _resources(env: Mapping[str, str]) -> list[str]:
    """The tables and the bucket that a function uses."""
    return [env[name] for name in ("SOURCE_TABLE", "DESTINATION_TABLE", "STAGING_BUCKET") if name in env]


def _facts(name: str, event: Event) -> dict[str, Any]:
    """What an invocation's line is found by."""
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
