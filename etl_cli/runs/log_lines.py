"""The lines of the functions' logs, as they are stored and as a person reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import isinf
from typing import Annotated, Any, Literal

import msgspec

from etl_cli.runs.ends import End, end_of
from etl_cli.runs.phrases import UNTIMED
from etl_cli.terminal.console import Text
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import duration, size

# What Lambda writes about each invocation. A REPORT with a status tells of a time-out, or of a process that died.
_ROUTINE = re.compile(r"(START|END|INIT_START|RESTORE_START|XRAY TraceId|REPORT(?!.*\bStatus: ))\b", re.DOTALL)
# Facts that have their own place in a line, or none.
_PLACED = {
    *("time", "level", "message", "action", "run", "execution", "segment"),
    *("counts", "done", "duration_ms", "error", "traceback", "trace", "_aws"),
}
# Which counts sum up an action, the first in any case, the others if they aren't 0; and what they are called.
_TOLD = {
    "extract": ("read", "extract_bytes"),
    "transform": ("records", "dropped", "ahead", "untimed", "rejected_transform"),
    "gate": ("read", "rejected_transform"),
    "load": ("loaded", "superseded", "rejected_load", "load_throttled"),
    "finish": ("loaded", "superseded", "untimed", "rejected_transform", "rejected_load"),
}
_WORDS = {
    "untimed": UNTIMED,
    "rejected_transform": "rejected",
    "rejected_load": "rejected by Load",
    "load_throttled": "throttled",
}
_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_ACTION_WIDTH, _SEGMENT_WIDTH, _MESSAGE_WIDTH = 9, 4, 8
_INDENT = 4
# A line is stored while its invocation lasts, which is 15 minutes at most. Source: Lambda quotas, "Function timeout".
_STORED_WITHIN = timedelta(minutes=15)
_LONGEST_MS = 24 * 3_600_000
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True)
class LogLine:
    """One line.

    Attributes:
        at: when it was written.
        function: name of the function.
        text: the line as it is stored.
        facts: what it says, if it is a line of the pipeline's own; else empty.
    """

    at: datetime
    function: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, function: str, event: Mapping[str, Any]) -> LogLine:
        """The line of an event, as FilterLogEvents returns it."""
        text = event["message"].rstrip("\r\n")
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        own = _own(text, at)
        return cls(own[0], function, text, own[1]) if own else cls(at, function, text)

    def document(self) -> dict[str, Any]:
        """For programs: what the pipeline wrote, or the text of anybody else with its time and function."""
        if self.facts:
            return dict(self.facts)
        at = self.at.isoformat(timespec="milliseconds")
        return {"time": at, "function": self.function, "text": self.text}

    @property
    def routine(self) -> bool:
        """Whether Lambda writes such a line about every invocation."""
        return not self.facts and _ROUTINE.match(self.text) is not None

    @property
    def error(self) -> str:
        """The error that ended the invocation, by the last line of its traceback: ``InputError: end is …``."""
        kind, colon, message = str(self.facts.get("traceback") or "").rstrip().rpartition("\n")[2].partition(": ")
        return kind.rpartition(".")[2] + colon + message

    @property
    def end(self) -> End | None:
        """How the invocation ended, if the line is Lambda's REPORT of one that failed."""
        return None if self.facts else end_of(self.text)

    def belongs_to(self, run: str, execution: str) -> bool:
        """Whether it is of a run, by the run's timestamp or the execution's name, or of nobody in particular."""
        own = self.facts.get("run"), self.facts.get("execution")
        return own == (None, None) or own[0] == run or own[1] == execution


class _Metric(msgspec.Struct):
    name: str = msgspec.field(name="Name")


class _Metrics(msgspec.Struct):
    described: list[_Metric] = msgspec.field(name="Metrics", default_factory=list)
    dimensions: list[list[str]] = msgspec.field(name="Dimensions", default_factory=list)


class _Embedded(msgspec.Struct):
    metrics: list[_Metrics] = msgspec.field(name="CloudWatchMetrics", default_factory=list)


class _Own(msgspec.Struct):
    """The shape of the pipeline's own lines, as far as this module reads them; see etl.invocation.log."""

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
    """Time and facts of a line of the pipeline's own; None if it isn't one, but resembles one."""
    try:
        own = _own_lines.decode(text)
        found: dict[str, Any] = json.loads(text, parse_float=_finite)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return (own.time, found) if abs(own.time - stored) <= _STORED_WITHIN else None


def _finite(text: str) -> float:
    """A number that JSON can hold: no float is as large as ``1e999``."""
    number = float(text)
    if isinf(number):
        raise ValueError(text)
    return number


def joined(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """The same lines, with those of one text together: the local environment stores each line of a text by itself."""

    def kind(line: LogLine) -> tuple[Any, ...]:
        return line.at, line.function, bool(line.facts) or line.routine or line.end is not None

    for (at, function, alone), group in groupby(lines, kind):
        together = list(group)
        if alone:
            yield from together
        else:
            yield LogLine(at, function, "\n".join(line.text for line in together))


class LogView:
    """Shows lines one after the other, with a heading whenever the day or the run changes.

    Args:
        times: how instants are printed.
        run: the run whose lines they are; empty for anybody's. A line may say itself of which it is.
    """

    def __init__(self, times: Times, run: str = "") -> None:
        self._times = times
        self._errors: dict[str, str] = {}
        self._heading, self._run = "", run

    def show(self, line: LogLine) -> Iterator[Text]:
        """What is printed of a line; nothing of what Lambda says again of an error that the function has told."""
        if self._is_told(line):
            return
        if line.error:
            self._errors[line.function] = line.error
        at = self._times.shifted(line.at)
        self._run = line.facts.get("run") or line.facts.get("execution") or self._run
        heading = f"{at:%Y-%m-%d} {self._times.zones([line.at])}"
        heading += f"  run {self._run}" if self._run else ""
        if heading != self._heading:
            self._heading = heading
            yield Text(heading, "bold")
        yield from _rendered(line, f"{at:%H:%M:%S}.{at.microsecond // 1000:03}")

    def _is_told(self, line: LogLine) -> bool:
        told = self._errors.get(line.function)
        if told is None or line.facts:
            return False
        return told in line.text or (line.end is not None and line.end.error == told.partition(": ")[0])


def _rendered(line: LogLine, clock: str) -> Iterator[Text]:
    facts = line.facts
    if not facts:
        first, *rest = [*([line.end.words] if line.end else []), *line.text.expandtabs().split("\n")]
        yield Text.assemble((clock, "dim"), f"  {line.function:<{_ACTION_WIDTH}}  ", (first, "yellow"))
        yield from (Text(" " * _INDENT + each, "dim") for each in rest)
        return
    action = str(facts.get("action") or line.function)
    segment = "" if facts.get("segment") is None else f"#{facts['segment']}"
    message = "goes on" if facts.get("done") is False else facts["message"]
    yield Text.assemble(
        (clock, "dim"),
        f"  {action:<{_ACTION_WIDTH}}  {segment:<{_SEGMENT_WIDTH}}  ",
        (f"{message:<{_MESSAGE_WIDTH}}", _STYLES.get(str(facts.get("level")), "")),
        f"  {', '.join(_told(action, facts))}",
    )
    yield from (Text(" " * _INDENT + each, "dim") for each in str(facts.get("traceback") or "").split("\n") if each)


def _told(action: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts that follow the message."""
    if facts.get("error"):
        yield str(facts["error"])
    counts = facts.get("counts") or {}
    for position, name in enumerate(_TOLD.get(action, ())):
        number = counts.get(name, 0)
        if counts and (number or position == 0):
            yield size(number) if name.endswith("_bytes") else f"{number:,} {_WORDS.get(name, name)}"
    for name, value in facts.items():
        if name not in _PLACED and name not in _metrics(facts):
            yield f"{name}={value}"
    if facts.get("NearLimit"):
        yield f"near its limits, {facts.get('MemoryUsed', '?')} MB used"
    if isinstance(facts.get("duration_ms"), (int, float)):
        yield duration(facts["duration_ms"] / 1000)


def _metrics(facts: Mapping[str, Any]) -> set[str]:
    """Names of the facts that are metrics, or tell these apart. Source: CloudWatch's embedded metric format."""
    described = (facts.get("_aws") or {}).get("CloudWatchMetrics", [])
    names = {metric["Name"] for each in described for metric in each.get("Metrics", [])}
    return names | {name for each in described for chosen in each.get("Dimensions", []) for name in chosen}
