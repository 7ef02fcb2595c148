"""The workflow in memory: the three handlers, called as the state machine calls them, on the fakes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest

from etl import extract, load, transform
from etl.invocation.code_version import engine_version
from etl.model.settings import Settings
from etl.model.stages import STAGES
from etl.settings import BY_FUNCTION, environment
from etl.tables.source import SourceTable
from tests.fakes.channel import FakeChannel
from tests.fakes.dynamodb import FakeDynamoDB, Item
from tests.fakes.faults import Crash, Faults
from tests.fakes.s3 import FakeS3
from tests.unit.virtual_threads import VirtualThreads

EXECUTION = {"id": "arn:aws:states:execution:1", "name": "1", "started_at": "2024-01-16T02:00:00.123Z"}
NAMES = {
    "staging_bucket": "staging",
    "source_table": "source",
    "destination_table": "destination",
    "ledger_table": "ledger",
    "stores": "staging source destination ledger",
}
VALUES = asdict(Settings(segment_bytes=1024)) | NAMES
# The variables of all functions, as the stack writes them.
ENVIRONMENT = {name: text for function in BY_FUNCTION for name, text in environment(function, VALUES).items()}
HANDLERS = {"extract": extract.handler, "transform": transform.handler, "load": load.handler}
FINISHED = "2024-01-16T02:10:00.000Z"
Handler = Callable[[Any, Any], Any]


def plan_event(given: Any, execution: dict[str, str] = EXECUTION) -> dict[str, Any]:
    """The event that the workflow gives to Plan."""
    return {"action": "plan", "engine": engine_version(), "input": given, "execution": execution}


class Context:
    """Lambda's context of an invocation that has time for a number of units of work."""

    def __init__(self, units: int = 1_000_000) -> None:
        self._units = units

    def get_remaining_time_in_millis(self) -> int:
        self._units -= 1
        return 300_000 if self._units > 0 else 0


class FakePipeline:
    """A deployed pipeline.

    Attributes:
        s3: the staging bucket.
        dynamodb: the source and the destination table.
        faults: counts the calls to both, and lets some fail.
        units: units of work that an invocation has time for.
        invocations: the actions that were run, in their order.
    """

    def __init__(self, items: list[Item], *, page_items: int = 10, segments: int = 1) -> None:
        self.faults = Faults()
        self.s3 = FakeS3(faults=self.faults)
        self.dynamodb = FakeDynamoDB(self.faults, page_items=page_items)
        self.dynamodb.tables["source"] = items
        self.dynamodb.size_bytes = segments * int(ENVIRONMENT["SEGMENT_BYTES"])
        self.units = 1_000_000
        self.invocations: list[str] = []

    def run(self, given: Any = None, execution: dict[str, str] = EXECUTION) -> dict[str, Any]:
        """An execution; returns its output."""
        state: dict[str, Any] = {}
        for stage in STAGES:
            handler = HANDLERS[stage.function]
            if stage.is_map:
                self._map(state, stage.action, handler)
            else:
                event = {"action": stage.action, "finished_at": FINISHED, **state}
                state = self._invoke(handler, event if state else plan_event(given or {}, execution))
        return state

    def _map(self, state: dict[str, Any], action: str, handler: Handler) -> None:
        for number, segment in enumerate(state["segments"]):
            work = self._invoke(handler, {"action": action, "run": state["run"], "work": segment})
            while "cursor" in work:
                work = self._invoke(handler, {"action": action, "run": state["run"], "work": work})
            state["segments"][number] = work

    def _invoke(self, handler: Handler, event: Any) -> Any:
        """One invocation; the state machine repeats it when its process is gone."""
        text = json.dumps(event)
        while True:
            self.invocations.append(event["action"])
            try:
                return json.loads(json.dumps(handler(json.loads(text), Context(self.units))))
            except Crash:
                self.faults.revive()

    @contextmanager
    def deployed(self, environment: dict[str, str] | None = None, module: Any = None) -> Iterator["FakePipeline"]:
        """Let the handlers find this pipeline's clients, settings and transformation."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (ENVIRONMENT | (environment or {})).items():
                patch.setenv(name, value)
            for stage in (extract, transform, load):
                patch.setattr(stage, "s3_client", lambda: self.s3)
            _forget_adapters()
            patch.setattr(extract, "dynamodb_client", lambda: self.dynamodb)
            # The context counts looks at the clock: a page that another thread fetches might come after the last.
            patch.setattr(extract, "SourceTable", partial(SourceTable, passing=VirtualThreads().passing()))
            patch.setattr(load, "get_session", lambda: None)
            patch.setattr(load, "dynamodb_client", lambda *_: self.dynamodb)
            patch.setattr(load, "open_batch_writer", lambda *_: FakeChannel(self.dynamodb))
            if module:
                patch.setattr(transform, "transformation", module)
            yield self
        _forget_adapters()


def _forget_adapters() -> None:
    for adapters in (extract._adapters, transform._adapters, transform._user, load._adapters):
        adapters.cache_clear()
