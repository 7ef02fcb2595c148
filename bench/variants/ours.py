"""This project's stages: the handlers as they are deployed, with the environment that the stack gives them."""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec

from bench.dataset import BUCKET, DESTINATION_TABLE, RUN_TIME, SOURCE_TABLE, WINDOW_END, WINDOW_START
from bench.environment import CHECKOUT
from bench.job import TABLES, Job
from etl.model.settings import Settings
from etl.settings import BY_FUNCTION, environment

RUN = {
    "timestamp": "20261123T020000123Z",
    "start": WINDOW_START,
    "end": WINDOW_END,
    "time": RUN_TIME,
    "execution": "arn:aws:states:us-east-1:000000000000:execution:etl-pipeline:bench",
    "segments": 1,
}
_NAMES = {
    "staging_bucket": BUCKET,
    "source_table": SOURCE_TABLE,
    "destination_table": DESTINATION_TABLE,
    "ledger_table": "etl-run-ledger",
    "stores": f"{BUCKET} {SOURCE_TABLE} {DESTINATION_TABLE} etl-run-ledger",
}
_VALUES = asdict(Settings(log_level="WARNING")) | _NAMES
ENVIRONMENT = {name: text for function in BY_FUNCTION for name, text in environment(function, _VALUES).items()}


def staged_key(stage: str, part: int) -> str:
    """Return the key of part ``part`` of the output of ``stage``."""
    return f"{stage}/{RUN['timestamp']}/{'data' if part == 0 else f'0000-{part:04d}'}.json"


class _Context:
    """Lambda's context: one invocation's clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Time left, in milliseconds."""
        return int((self._end - time.monotonic()) * 1000)


def _work_before(name: str, job: Job) -> dict[str, Any]:
    """The work with which a worker begins its stage, as it lies in the state of an execution."""
    from etl.model.run import Work

    work = Work(segment=0)
    if name == "transform":
        for count in ("scanned", "read", "extracted"):
            work.count(count, job.items)
        work.count("extract_parts", job.parts)
        work.count("extract_bytes", job.items * 400)
    if name == "load":
        work.count("transform_parts", job.parts)
    before: dict[str, Any] = msgspec.to_builtins(work)
    return before


def _stage(name: str, job: Job) -> Callable[[], dict[str, Any]]:
    os.environ.update(ENVIRONMENT)
    sys.path.append(str(CHECKOUT / "tests" / "fixtures" / "pipelines" / "etl"))
    module = importlib.import_module(f"etl.{name}")
    given = RUN | TABLES.get(job.tables, {})
    module._adapters()  # a function's clients are made once, before its first invocation's work

    def run() -> dict[str, Any]:
        work = _work_before(name, job)
        invocations = 0
        while "cursor" in work or not invocations:
            event = {"action": name, "run": given, "work": work}
            work = module.handler(event, _Context(job.invocation_seconds))
            invocations += 1
        return {"invocations": invocations, "state_bytes": len(json.dumps(work)), "counts": work["counts"]}

    return run


def extract(job: Job) -> Callable[[], dict[str, Any]]:
    """etl.extract.handler."""
    return _stage("extract", job)


def transform(job: Job) -> Callable[[], dict[str, Any]]:
    """etl.transform.handler with the tests' transformation."""
    return _stage("transform", job)


def load(job: Job) -> Callable[[], dict[str, Any]]:
    """etl.load.handler."""
    return _stage("load", job)
