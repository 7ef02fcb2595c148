"""The table of runs: one line for each, or two on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from etl.model.counts import rejected
from etl.model.statuses import RUNNING, SUCCEEDED, UNKNOWN, WORDS
from etl_cli.runs.ledger import Entry
from etl_cli.runs.phrases import UNTIMED, ended, replay_words
from etl_cli.terminal.console import Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.printable import wrapped
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import duration

_STYLES = {SUCCEEDED: "green", RUNNING: "cyan"}
_MARKS = {SUCCEEDED: "✔", RUNNING: "…"}
_FAILED_STYLE, _FAILED_MARK = "red", "✘"
_RUN_WIDTH = len("20261103T020000123Z")
_COUNTS = ("read", "loaded", "rejected")
_UNKNOWN = "-"


def runs_table(entries: Sequence[Entry], times: Times, etl: EtlLines, width: int | None) -> Iterator[Text]:
    """The lines of the table, without limit if ``width`` is None. Failures and replays are below their runs."""
    for shape in (_Full(times), _Short(times), _Tall(times, width or 0)):
        head, *runs = shape.blocks(entries)
        if width is None or (shape.fits(entries) and max(line.cell_len for line in chain(head, *runs)) <= width):
            break
    yield from head
    for entry, lines in zip(entries, runs, strict=True):
        yield from lines
        yield from _notes(entry, etl, width)


@dataclass(frozen=True)
class _Full:
    """Rows with all facts in full."""

    times: Times
    gap = "  "

    def blocks(self, entries: Sequence[Entry]) -> list[list[Text]]:
        """The lines of the head, and of each run."""
        zone = self.times.zones(instant for entry in entries if entry.window for instant in entry.window)
        rows = [self.head(f"window, {zone}"), *map(self.row, entries)]
        widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
        return [[self._line(cells, widths)] for cells in rows]

    def fits(self, entries: Sequence[Entry]) -> bool:
        """Whether the shape shows all facts that differ between the runs."""
        return bool(entries)

    def _line(self, cells: Sequence[Text], widths: Sequence[int]) -> Text:
        line = Text()
        for position, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            is_text = position < len(cells) - len(_COUNTS) - 1  # numbers follow
            padding = " " * (width - cell.cell_len)
            line.append_text(
                Text.assemble(cell, padding, self.gap) if is_text else Text.assemble(padding, cell, self.gap)
            )
        line.rstrip()
        return line

    def head(self, window: str) -> list[Text]:
        return [Text(title, "dim") for title in ("run", "status", window, "took", *_COUNTS)]

    def row(self, entry: Entry) -> list[Text]:
        return [_name(entry), Text(_word(entry), _style(entry)), *self.facts(entry)]

    def facts(self, entry: Entry) -> list[Text]:
        took = _UNKNOWN if entry.seconds is None else self.took(entry.seconds)
        return [Text(self.window(entry)), Text(took), *map(Text, _numbers(entry))]

    def window(self, entry: Entry) -> str:
        if entry.replay:
            return f"replay of {entry.replay}"
        return " → ".join(map(self.instant, entry.window)) if entry.window else _UNKNOWN

    def instant(self, instant: datetime) -> str:
        return self.times.bare(instant)

    def took(self, seconds: float) -> str:
        return duration(seconds)


class _Short(_Full):
    """Rows of 80 columns: a sign for the status, no seconds, and no years, which the run's id has."""

    gap = " "

    def fits(self, entries: Sequence[Entry]) -> bool:
        """Whether each run's id has the year of its window."""
        return all(
            self.times.shifted(instant).strftime("%Y") == entry.run[:4]
            for entry in entries
            if entry.window and not entry.replay
            for instant in entry.window
        )

    def head(self, window: str) -> list[Text]:
        return [Text(title, "dim") for title in ("", "run", window, "took", *_COUNTS)]

    def row(self, entry: Entry) -> list[Text]:
        return [Text(_MARKS.get(entry.status, _FAILED_MARK), _style(entry)), _name(entry), *self.facts(entry)]

    def instant(self, instant: datetime) -> str:
        return self.times.shifted(instant).strftime("%m-%d %H:%M")

    def took(self, seconds: float) -> str:
        return duration(seconds).replace(" min ", "m").replace(" h ", "h").replace("min", "m").replace(" ", "")


@dataclass(frozen=True)
class _Tall(_Full):
    """Two lines or more for each run, which wrap."""

    width: int = 0

    def blocks(self, entries: Sequence[Entry]) -> list[list[Text]]:
        """No head, and the lines of each run."""
        return [[], *map(self._lines, entries)]

    def _lines(self, entry: Entry) -> list[Text]:
        mark = (_MARKS.get(entry.status, _FAILED_MARK), _style(entry))
        window = self.times.window(*entry.window) if entry.window and not entry.replay else self.window(entry)
        words = _word(entry) if entry.seconds is None else f"{_word(entry)} in {duration(entry.seconds)}"
        if entry.counts:
            counted = zip(_numbers(entry), _COUNTS, strict=True)
            words += ": " + ", ".join(f"{number} {name}" for number, name in counted)
        below = [Text(f"    {line}", _style(entry)) for line in wrapped(words, self.width - 4)]
        return [Text.assemble(mark, f" {entry.run or _UNKNOWN}  {window}"), *below]


def _word(entry: Entry) -> str:
    return WORDS.get(entry.status, entry.status.lower())


def _style(entry: Entry) -> str:
    return _STYLES.get(entry.status, _FAILED_STYLE)


def _numbers(entry: Entry) -> list[str]:
    """The numbers of `_COUNTS`, with every digit."""
    counted = {name: entry.counts.get(name, 0) for name in _COUNTS} | {"rejected": rejected(entry.counts)}
    return [f"{counted[name]:,}" if entry.counts else _UNKNOWN for name in _COUNTS]


def _name(entry: Entry) -> Text:
    """The name of a run for `etl show`. The execution's name may be too long and follow below."""
    return Text(entry.run) if entry.run else Text(entry.name if _is_short(entry) else _UNKNOWN, "dim")


def _is_short(entry: Entry) -> bool:
    return len(entry.name) <= _RUN_WIDTH


def _notes(entry: Entry, etl: EtlLines, width: int | None) -> Iterable[Text]:
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
