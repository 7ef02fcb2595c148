"""The lines of the functions' logs, as they are stored and as a person reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rich.text import Text

from etl_cli.times import Times
from etl_cli.wording import duration, size

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
    "transform": ("records", "dropped", "rejected_transform"),
    "gate": ("read", "rejected_transform"),
    "load": ("loaded", "superseded", "rejected_load", "load_throttled"),
    "finish": ("loaded", "superseded", "rejected_transform", "rejected_load"),
}
_WORDS = {"rejected_transform": "rejected", "rejected_load": "rejected by Load", "load_throttled": "throttled"}
_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_ACTION_WIDTH, _SEGMENT_WIDTH, _MESSAGE_WIDTH = 9, 4, 8
_INDENT = 4


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
        facts = _facts(text)
        return cls(datetime.fromisoformat(facts["time"]) if "time" in facts else at, function, text, facts)

    @property
    def routine(self) -> bool:
        """Whether Lambda writes such a line about every invocation."""
        return not self.facts and _ROUTINE.match(self.text) is not None

    @property
    def error(self) -> str:
        """The error that ended the invocation, by the last line of its traceback: ``InputError: end is …``."""
        kind, colon, message = str(self.facts.get("traceback", "")).rstrip().rpartition("\n")[2].partition(": ")
        return kind.rpartition(".")[2] + colon + message

    def belongs_to(self, run: str, execution: str) -> bool:
        """Whether it is of a run, by the run's timestamp or the execution's name, or of nobody in particular."""
        own = self.facts.get("run"), self.facts.get("execution")
        return own == (None, None) or own[0] == run or own[1] == execution


def _facts(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        if isinstance(found, dict) and isinstance(found.get("message"), str):
            datetime.fromisoformat(found["time"])
            return found
    except (ValueError, KeyError, TypeError):
        pass
    return {}


def joined(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """The same lines, with those of one text together: the local environment stores each line of a text by itself."""

    def kind(line: LogLine) -> tuple[Any, ...]:
        return line.at, line.function, bool(line.facts), line.routine

    for (at, function, own, routine), group in groupby(lines, kind):
        together = list(group)
        if own or routine:
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
        if not line.facts and line.function in self._errors and self._errors[line.function] in line.text:
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


def _rendered(line: LogLine, clock: str) -> Iterator[Text]:
    facts = line.facts
    if not facts:
        first, *rest = line.text.splitlines() or [""]
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
    yield from (Text(" " * _INDENT + each, "dim") for each in str(facts.get("traceback", "")).splitlines())


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
    described = facts.get("_aws", {}).get("CloudWatchMetrics", [])
    names = {metric["Name"] for each in described for metric in each.get("Metrics", [])}
    return names | {name for each in described for chosen in each.get("Dimensions", []) for name in chosen}
