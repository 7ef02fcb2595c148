"""The lines of the functions' logs, as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from etl.model.counts import reported_by
from etl.model.errors import Reason
from etl.model.stages import EXTRACT, FINISH, GATE, LOAD, TRANSFORM
from etl_cli.runs.log_lines import LogLine
from etl_cli.runs.outcome_words import UNTIMED
from etl_cli.terminal.console import Text
from etl_cli.terminal.formats import duration, size
from etl_cli.terminal.times import Times

# Facts with a place of their own in a line, or with none.
_PLACED = {
    *("time", "level", "message", "action", "run", "execution", "segment"),
    *("counts", "done", "duration_ms", "error", "traceback", "trace", "_aws"),
}
# The counts that a line shows, by action: the first always, the others unless they are 0; and their words. A stage that
# isn't here shows the counts of its reports.
_SHOWN = {
    EXTRACT: ("read", "extract_bytes"),
    TRANSFORM: ("records", "dropped", "ahead", "untimed", "rejected_transform"),
    GATE: ("read", "rejected_transform"),
    LOAD: ("loaded", "superseded", "rejected_load", "load_throttled"),
    FINISH: ("loaded", "superseded", "untimed", "rejected_transform", "rejected_load"),
}
_WORDS = {
    "untimed": UNTIMED,
    "rejected_transform": "rejected",
    "rejected_load": "rejected by Load",
    "load_throttled": "throttled",
}
_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_REASON = re.compile(rf"\.? \[({'|'.join(Reason)})\]\Z")
_ACTION_WIDTH, _SEGMENT_WIDTH, _MESSAGE_WIDTH = 9, 4, 8
_INDENT = 4


def joined(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Join the lines of one text: the local environment stores each line of a text by itself."""

    def kind(line: LogLine) -> tuple[Any, ...]:
        return line.at, line.function, bool(line.facts) or line.is_routine or line.end is not None

    for (at, function, is_whole), group in groupby(lines, kind):
        together = list(group)
        if is_whole:
            yield from together
        else:
            yield LogLine(at, function, "\n".join(line.text for line in together))


class LogView:
    """Shows lines one after the other, with a heading whenever the day or the run changes.

    Args:
        run: the run of the first lines; empty if unknown. Most lines name their run.
    """

    def __init__(self, times: Times, run: str = "") -> None:
        self._times = times
        self._errors: dict[str, str] = {}
        self._heading, self._run = "", run

    def show(self, line: LogLine) -> Iterator[Text]:
        """The text of a line; nothing if Lambda repeats an error that the function has logged."""
        if self._is_repeated(line):
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

    def _is_repeated(self, line: LogLine) -> bool:
        logged = self._errors.get(line.function)
        if logged is None or line.facts:
            return False
        return logged in line.text or (line.end is not None and line.end.error == logged.partition(": ")[0])


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
        f"  {', '.join(_facts(action, facts))}",
    )
    yield from (
        Text(" " * _INDENT + _spelled_out(each), "dim")
        for each in str(facts.get("traceback") or "").split("\n")
        if each
    )


def _spelled_out(line: str) -> str:
    """A line of a traceback; the reason at the end of an error's message becomes a sentence."""
    return _REASON.sub(r". Reason: \1.", line)


def _facts(action: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts that follow the message, in words."""
    if facts.get("error"):
        yield str(facts["error"])
    counts = facts.get("counts") or {}
    for position, name in enumerate(_SHOWN.get(action) or reported_by(action)):
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
    """Names of the metrics and their dimensions. Source: CloudWatch's embedded metric format."""
    described = (facts.get("_aws") or {}).get("CloudWatchMetrics", [])
    names = {metric["Name"] for each in described for metric in each.get("Metrics", [])}
    return names | {name for each in described for chosen in each.get("Dimensions", []) for name in chosen}
