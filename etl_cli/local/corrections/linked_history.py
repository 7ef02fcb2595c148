"""Links the events of an execution's history as AWS does. Without links, a Map's items are mixed."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

# The execution whose event was last where this code runs, and that event's id. Each item of a Map has a context of its
# own, which begins as that of the Map's state.
_last: ContextVar[tuple[int, int]] = ContextVar("last_event", default=(0, 0))


def link_history() -> None:
    """Give each event the id of the one before it, and each item of an inline Map an event at its start.

    AWS has ``previousEventId``, and ``MapIterationStarted`` with the Map's name and the item's index (Step Functions
    API Reference, HistoryEvent). Also, no two events of parallel items get the same id.
    """
    from ministack.services import stepfunctions

    add, run_item = stepfunctions._add_event, stepfunctions._run_sub_machine
    lock = threading.Lock()

    def add_linked(execution: Any, kind: str, details: Any = None) -> Any:
        owner, previous = _last.get()
        with lock:
            if owner != id(execution):
                previous = len(execution["events"])
            event = add(execution, kind, {**(details or {}), "previousEventId": previous})
        _last.set((id(execution), event["id"]))
        return event

    def run_linked(states: Any, start_at: str, data: Any, execution: Any, context: Any) -> Any:
        if "Map" in context and "mapRunArn" not in execution:  # an item of a Distributed Map is an execution
            iteration = {"name": context["State"]["Name"], "index": context["Map"]["Item"]["Index"]}
            stepfunctions._add_event(execution, "MapIterationStarted", {"mapIterationStartedEventDetails": iteration})
        return run_item(states, start_at, data, execution, context)

    stepfunctions._add_event, stepfunctions._run_sub_machine = add_linked, run_linked
