"""The table of runs: one line for each, or two on a narrow terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from etl.model.counts import rejected
from etl.model.statuses import RUNNING, SUCCEEDED, UNKNOWN, words_for
from etl_cli.runs.ledger import LedgerEntry
from etl_cli.runs.outcome_words import UNTIMED, ended, replay_words
from etl_cli.terminal.console import Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration
from etl_cli.terminal.printable import wrapped
from etl_cli.terminal.times import Times

_STYLES = {SUCCEEDED: "green", RUNNING: "cyan"}
_MARKS = {SUCCEEDED: "✔", RUNNING: "…"}
_FAILED_STYLE, _FAILED_MARK = "red", "✘"
_RUN_WIDTH = len("20261103T020000123Z")
_COUNTS = ("read", "loaded", "rejected")
_UNKNOWN = "-"


def runs_table(entries: Sequence[LedgerEntry], times: Times, etl: EtlLines, width: int | None) -> Iterator[Text]:
    """The lines of the table, without limit if ``width`` is None. Failures and replays are below their runs."""
    lines = _full(entries, times)
    if width is not None and _widest(lines) > width:
        lines = _short(entries, times) if _has_years(entries, times) else []
        if lines and _widest(lines) > width:
            lines = []
    yield from lines[:1]
    for position, entry in enumerate(entries, 1):
        yield from lines[position : position + 1] or _tall(entry, times, width or 0)
        yield from _notes(entry, etl, width)


def _widest(lines: Iterable[Text]) -> int:
    return max(line.cell_len for line in lines)


def _full(entries: Sequence[LedgerEntry], times: Times) -> list[Text]:
    """The head, and a row for each run with all facts in full."""
    rows = [
        [_name(entry), Text(_word(entry), _style(entry)), *_facts(entry, times.bare, duration)] for entry in entries
    ]
    return _aligned([_head("run", "status", entries, times), *rows], "  ")


def _short(entries: Sequence[LedgerEntry], times: Times) -> list[Text]:
    """The same in 80 columns: a sign for the status, no seconds, and no years, which the run's id has."""

    def instant(instant: datetime) -> str:
        return times.shifted(instant).strftime("%m-%d %H:%M")

    def took(seconds: float) -> str:
        return duration(seconds).replace(" min ", "m").replace(" h ", "h").replace("min", "m").replace(" ", "")

    rows = [[Text(*_mark(entry)), _name(entry), *_facts(entry, instant, took)] for entry in entries]
    return _aligned([_head("", "run", entries, times), *rows], " ")


def _has_years(entries: Iterable[LedgerEntry], times: Times) -> bool:
    """Whether each run's id has the year of its window."""
    return all(
        times.shifted(instant).strftime("%Y") == entry.run[:4]
        for entry in entries
        if entry.window and not entry.replay
        for instant in entry.window
    )


def _tall(entry: LedgerEntry, times: Times, width: int) -> Iterator[Text]:
    """Two lines or more, which wrap."""
    window = times.window(*entry.window) if entry.window and not entry.replay else _window(entry, times.bare)
    yield Text.assemble(_mark(entry), f" {entry.run or _UNKNOWN}  {window}")
    words = _word(entry) if entry.seconds is None else f"{_word(entry)} in {duration(entry.seconds)}"
    if entry.counts:
        counted = zip(_numbers(entry), _COUNTS, strict=True)
        words += ": " + ", ".join(f"{number} {name}" for number, name in counted)
    yield from (Text(f"    {line}", _style(entry)) for line in wrapped(words, width - 4))


def _head(first: str, second: str, entries: Iterable[LedgerEntry], times: Times) -> list[Text]:
    zone = times.zones(instant for entry in entries if entry.window for instant in entry.window)
    return [Text(title, "dim") for title in (first, second, f"window, {zone}", "took", *_COUNTS)]


def _facts(entry: LedgerEntry, instant: Callable[[datetime], str], took: Callable[[float], str]) -> list[Text]:
    seconds = _UNKNOWN if entry.seconds is None else took(entry.seconds)
    return [Text(fact) for fact in (_window(entry, instant), seconds, *_numbers(entry))]


def _window(entry: LedgerEntry, instant: Callable[[datetime], str]) -> str:
    if entry.replay:
        return f"replay of {entry.replay}"
    return " → ".join(map(instant, entry.window)) if entry.window else _UNKNOWN


def _aligned(rows: Sequence[Sequence[Text]], gap: str) -> list[Text]:
    """Rows as lines: three columns of text, then numbers."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line = Text()
        for position, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - cell.cell_len)
            line = Text.assemble(line, *((cell, padding) if position < 3 else (padding, cell)), gap)
        line.rstrip()
        lines.append(line)
    return lines


def _mark(entry: LedgerEntry) -> tuple[str, str]:
    return _MARKS.get(entry.status, _FAILED_MARK), _style(entry)


def _word(entry: LedgerEntry) -> str:
    return words_for(entry.status).word


def _style(entry: LedgerEntry) -> str:
    return _STYLES.get(entry.status, _FAILED_STYLE)


def _numbers(entry: LedgerEntry) -> list[str]:
    """The numbers of `_COUNTS`, with every digit."""
    counted = {name: entry.counts.get(name, 0) for name in _COUNTS} | {"rejected": rejected(entry.counts)}
    return [f"{counted[name]:,}" if entry.counts else _UNKNOWN for name in _COUNTS]


def _name(entry: LedgerEntry) -> Text:
    """The name of a run for `etl show`. The execution's name may be too long and follow below."""
    return Text(entry.run) if entry.run else Text(entry.name if _is_short(entry) else _UNKNOWN, "dim")


def _is_short(entry: LedgerEntry) -> bool:
    return len(entry.name) <= _RUN_WIDTH


def _notes(entry: LedgerEntry, etl: EtlLines, width: int | None) -> Iterable[Text]:
    which = "" if entry.run else f": {etl.line('show', entry.name)}"
    if entry.error or entry.status == UNKNOWN:
        yield Text(f"    {ended(entry.status, entry.stage, entry.error)}{which}", _FAILED_STYLE)
    elif which and not _is_short(entry):
        yield Text(f"    {which.removeprefix(': ')}", "dim")
    if untimed := entry.counts.get("untimed"):
        yield Text(f"    {untimed:,} {UNTIMED}", "yellow")
    if entry.replayed:
        words = replay_words(entry.replayed)
        yield from (Text(f"    {line}", "dim") for line in ([words] if width is None else wrapped(words, width - 4)))
