"""The edge of a function: what its event asks for, what its errors become, what its log says."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from etl import log
from etl.aws import explained
from etl.deadline import Deadline
from etl.errors import BalanceError, ConfigurationError, EtlError
from etl.run import Run, Work


class Context(Protocol):
    """What the pipeline uses of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Time left in the invocation, in milliseconds."""
        ...


Event = Mapping[str, Any]
Action = Callable[[Event, Deadline], Any]


def run_action(event: Event, context: Context, actions: Mapping[str, Action]) -> Any:
    """Run what ``event["action"]`` names, and answer with its result as JSON's own types.

    Raises:
        EtlError: the invocation failed; the concrete class decides what the workflow does.
    """
    logger = log.configure(os.environ.get("LOG_LEVEL", "INFO"))
    name = event.get("action", "")
    if name not in actions:
        raise ConfigurationError(f"action must be one of {', '.join(actions)}, got {name!r}; the workflow sets it")
    facts = _facts(name, event)
    started = time.monotonic()
    try:
        result = actions[name](event, Deadline(context.get_remaining_time_in_millis))
    except Exception as error:
        # The message of an error of ours names no record's contents; a traceback shows none either.
        logger.error("failed", exc_info=True, extra=facts)
        if isinstance(error, (ClientError, BotoCoreError)):
            raise explained(error, _resources(os.environ)) from None
        if isinstance(error, EtlError):
            # Its message is what a person needs; the traceback is in the log, and would fill the execution's cause.
            raise error.with_traceback(None) from None
        raise
    facts |= _outcome(result)
    logger.info("finished", extra=facts | {"duration_ms": round((time.monotonic() - started) * 1000)})
    return msgspec.to_builtins(result)


def run_of(event: Event) -> Run:
    """The run that a worker's event carries."""
    return msgspec.convert(event["run"], Run)


def work_of(event: Event) -> Work:
    """The work that a worker's event carries; a stage that starts afresh has no cursor."""
    return msgspec.convert(event["work"], Work)


def segments_of(event: Event) -> list[Work]:
    """The segments that gate and finish look at, each of the run's exactly once.

    Raises:
        BalanceError: there are fewer or more.
    """
    run = run_of(event)
    # A Distributed Map that tolerates failed items leaves nulls in their places.
    segments = [msgspec.convert(work, Work) for work in event["segments"] if work is not None]
    numbers = sorted(work.segment for work in segments)
    if numbers != list(range(run.segments)):
        missing = sorted(set(range(run.segments)) - set(numbers))
        raise BalanceError(
            f"run {run.timestamp} has {run.segments} segments and the workflow brought {len(segments)}, "
            f"without {missing}: start a new run of the window {run.start} to {run.end}"
        )
    return segments


def _resources(env: Mapping[str, str]) -> list[str]:
    """The tables and the bucket that a function uses."""
    return [env[name] for name in ("SOURCE_TABLE", "DESTINATION_TABLE", "STAGING_BUCKET") if name in env]


def _outcome(result: Any) -> dict[str, Any]:
    if isinstance(result, Work):
        return {"counts": result.by_name(), "done": result.done}
    return {"counts": result.get("counts"), "done": True}


def _facts(name: str, event: Event) -> dict[str, Any]:
    run, work = event.get("run") or {}, event.get("work") or {}
    return {"action": name, "run": run.get("timestamp"), "segment": work.get("segment")}
