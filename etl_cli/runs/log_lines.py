"""The lines of the functions' logs, as CloudWatch Logs stores them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isinf
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

# Lambda writes these lines for each invocation. A REPORT with a status means a time-out, or a process that died.
_ROUTINE = re.compile(r"(START|END|INIT_START|RESTORE_START|XRAY TraceId|REPORT(?!.*\bStatus: ))\b", re.DOTALL)
# Since 2026 this REPORT is the only line about a time-out, or about a process that died.
_FAILED = re.compile(
    r"REPORT RequestId: [^\t]*\t(?P<facts>.*)\bStatus: (?P<status>timeout|error)\b(?P<rest>.*)", re.DOTALL
)
_ERROR_TYPE = re.compile(r"\bError Type: ([\w.]+)")
_MEMORY = re.compile(r"\bMemory Size: (\d+ MB)")
# A line is stored within an invocation's longest duration, 15 minutes. Source: Lambda quotas, "Function timeout".
_STORED_WITHIN = timedelta(minutes=15)
_LONGEST_MS = 24 * 3_600_000
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class End(NamedTuple):
    """The end of an invocation that failed: its error's name, empty if Lambda gives none, and the same in words."""

    error: str
    words: str


@dataclass(frozen=True)
class LogLine:
    """One line."""

    at: datetime
    function: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)  # its JSON object, if the pipeline wrote it; else empty

    @classmethod
    def of(cls, function: str, event: Mapping[str, Any]) -> LogLine:
        """The line of an event, as FilterLogEvents returns it."""
        text = event["message"].rstrip("\r\n")
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        own = _own(text, at)
        return cls(own[0], function, text, own[1]) if own else cls(at, function, text)

    def document(self) -> dict[str, Any]:
        """The line for programs: the pipeline's JSON object, or another text with its time and function."""
        if self.facts:
            return dict(self.facts)
        at = self.at.isoformat(timespec="milliseconds")
        return {"time": at, "function": self.function, "text": self.text}

    @property
    def is_routine(self) -> bool:
        """Whether Lambda writes such a line for every invocation."""
        return not self.facts and _ROUTINE.match(self.text) is not None

    @property
    def error(self) -> str:
        """The error that ended the invocation, from the last line of its traceback: ``InputError: end is …``."""
        kind, colon, message = str(self.facts.get("traceback") or "").rstrip().rpartition("\n")[2].partition(": ")
        return kind.rpartition(".")[2] + colon + message

    @property
    def end(self) -> End | None:
        """The end of the invocation, if the line is Lambda's REPORT of a failed one."""
        return None if self.facts else _end_of(self.text)

    def belongs_to(self, run: str, execution: str) -> bool:
        """Whether it is a line of a run, by the run's id or the execution's name, or a line of no run."""
        own = self.facts.get("run"), self.facts.get("execution")
        return own == (None, None) or own[0] == run or own[1] == execution


def _end_of(text: str) -> End | None:
    """The end of an invocation by its REPORT line; None for other lines and for an invocation that succeeded."""
    found = _FAILED.match(text)
    if found is None:
        return None
    if found["status"] == "timeout":
        return End("Sandbox.Timedout", "stopped by Lambda: its time was up")
    named, memory = _ERROR_TYPE.search(found["rest"]), _MEMORY.search(found["facts"])
    error = named[1] if named else ""
    if error == "Runtime.OutOfMemory":
        return End(error, f"killed by Lambda: it took more than its {memory[1] if memory else 'memory'}")
    if error == "Runtime.ExitError":
        return End(error, "its process ended, or was killed")
    return End(error, f"failed with {error or 'an error'}")


class _Metric(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class _Metrics(msgspec.Struct):
    described: list[_Metric] = msgspec.field(name="Metrics", default_factory=list)
    dimensions: list[list[str]] = msgspec.field(name="Dimensions", default_factory=list)


class _Embedded(msgspec.Struct):
    metrics: list[_Metrics] = msgspec.field(name="CloudWatchMetrics", default_factory=list)


class _Own(msgspec.Struct):
    """The fields of the pipeline's own lines that this command reads; see etl.invocation.log."""

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    message: str
    action: str | None = None
    run: str | None = None
    execution: str | None = None
    segment: _Number | None = None
    counts: dict[str, _Number] | None = None
    done: bool | None = None
    duration_ms: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_MS)] | None = None
    error: str | None = None
    traceback: str | None = None
    embedded: _Embedded | None = msgspec.field(name="_aws", default=None)


_own_lines = msgspec.json.Decoder(_Own)


def _own(text: str, stored: datetime) -> tuple[datetime, dict[str, Any]] | None:
    """Time and facts of a line that the pipeline wrote; None for any other line, even if it looks like one."""
    try:
        own = _own_lines.decode(text)
        found: dict[str, Any] = json.loads(text, parse_float=_finite)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return (own.time, found) if abs(own.time - stored) <= _STORED_WITHIN else None


def _finite(text: str) -> float:
    """A number that JSON can hold. No float is as large as ``1e999``."""
    number = float(text)
    if isinf(number):
        raise ValueError(text)
    return number
