"""A window for one test, and an execution that has ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Window:
    """A window that no other test has: a day of the past."""

    first: datetime

    @property
    def start(self) -> str:
        return self.at(0)

    @property
    def end(self) -> str:
        return self.at(24 * 60)

    @property
    def input(self) -> dict[str, str]:
        return {"start": self.start, "end": self.end}

    def at(self, minute: float) -> str:
        """The time so many minutes after the start."""
        return text(self.first + timedelta(minutes=minute))


def text(instant: datetime) -> str:
    """Write an instant as `2001-01-15T10:00:00Z`, with its fraction of a second if there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Execution:
    """An execution that has ended.

    Attributes:
        error: name of the error that failed it.
        message: the error's text: the cause, or its errorMessage.
        events: its history.
        children: the histories of the executions that its Distributed Maps started, one after the other, by Map.
    """

    arn: str
    status: str
    output: dict[str, Any]
    error: str
    message: str
    events: list[dict[str, Any]]
    children: dict[str, list[dict[str, Any]]]

    @property
    def run(self) -> str:
        """The run's timestamp."""
        return str(self.output["run"])

    @property
    def counts(self) -> dict[str, int]:
        """The run's counts."""
        counts: dict[str, int] = self.output["counts"]
        return counts

    def entered(self) -> list[str]:
        """The states of the workflow, in the order in which they were entered."""
        entered = (event.get("stateEnteredEventDetails") for event in self.events)
        return [details["name"] for details in entered if details]

    def results(self, state: str) -> list[Any]:
        """The results of the invocations within a state."""
        return [
            json.loads(event["taskSucceededEventDetails"]["output"])
            for event in self._within(state)
            if event["type"] == "TaskSucceeded"
        ]

    def failures(self, state: str) -> list[str]:
        """The errors of the invocations within a state that failed."""
        return [
            event["taskFailedEventDetails"]["error"] for event in self._within(state) if event["type"] == "TaskFailed"
        ]

    def _within(self, state: str) -> list[dict[str, Any]]:
        inside, within = "", list(self.children.get(state, []))
        for event in self.events:
            inside = event.get("stateEnteredEventDetails", {}).get("name", inside)
            if inside == state:
                within.append(event)
        return within
