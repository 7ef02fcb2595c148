"""The capacity model counts states, time and memory as the stack has them."""

from __future__ import annotations

from typing import Any

import pytest

from etl.model.limits import STAGED_DAYS
from etl_cli.costs.capacity_inputs import CapacitySettings
from etl_cli.costs.usage import history_events, transitions
from tests.infrastructure.synthesis import Synthesized

# Events of a state, entered and exited included. Source: API reference of Step Functions, HistoryEvent.
EVENTS = {"Task": 5, "Choice": 2, "Succeed": 2, "Map": 4}


def passed(machine: dict[str, Any]) -> list[dict[str, Any]]:
    """The states that an execution passes when nothing fails and no worker goes on."""
    states, found = machine["States"], [machine["States"][machine["StartAt"]]]
    while following := found[-1].get("Next") or found[-1].get("Default"):
        found.append(states[following])
    return found


def workers(definition: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The states that a worker of each Map passes."""
    return [passed(state["ItemProcessor"]) for state in passed(definition) if state["Type"] == "Map"]


def test_transitions_are_the_states_that_a_run_passes(stack: Synthesized) -> None:
    states = len(passed(stack.definition)) + sum(map(len, workers(stack.definition)))

    assert transitions(1, 3, inline=True) == states
    assert transitions(2, 6, inline=True) == states + sum(map(len, workers(stack.definition)))


def test_events_of_the_history_are_those_of_its_states(stack: Synthesized) -> None:
    own = 2 + sum(EVENTS[state["Type"]] for state in passed(stack.definition))
    # A worker's iteration has a beginning and an end of its own.
    worked = sum(2 + sum(EVENTS[state["Type"]] for state in worker) for worker in workers(stack.definition))

    assert history_events(1, 3, inline=True) == own + worked
    assert history_events(2, 6, inline=True) == own + 2 * worked
    assert history_events(2, 6, inline=False) == own + 2 * len(workers(stack.definition))


@pytest.mark.parametrize("name", ["etl-extract", "etl-transform", "etl-load"])
def test_memory_is_that_of_the_functions(stack: Synthesized, name: str) -> None:
    assert stack.named("AWS::Lambda::Function", name)["MemorySize"] == CapacitySettings.memory_mb


def test_time_is_that_of_the_state_machine(stack: Synthesized) -> None:
    assert stack.definition["TimeoutSeconds"] == CapacitySettings.timeout_seconds


def test_staged_objects_are_billed_until_they_expire(stack: Synthesized) -> None:
    (bucket,) = stack.of_type("AWS::S3::Bucket").values()
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]

    assert rule["ExpirationInDays"] == STAGED_DAYS
