"""The table of runs: with every digit, or, on a narrow terminal, abbreviated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from etl_cli.console import Text
from etl_cli.etl_lines import EtlLines
from etl_cli.execution.counts import UNTIMED, rejected
from etl_cli.execution.ledger import Entry
from etl_cli.times import Times
from etl_cli.wording import duration

_STYLES = {"SUCCEEDED": "green", "RUNNING": "cyan"}
_MARKS = {"SUCCEEDED": "✔", "RUNNING": "…"}
_FAILED_STYLE, _FAILED_MARK = "red", "✘"
_ENDED = {"FAILED": "failed", "TIMED_OUT": "timed out", "ABORTED": "stopped"}
_RUN_WIDTH = len("20261103T020000123Z")
_COUNTS = ("read", "loaded", "rejected")
_UNKNOWN = "-"


def replay_words(entry: Entry) -> str:
    """How a later run replayed what this one rejected: ``replayed by 20261106T…: 150 loaded, 1 rejected again``."""
    counts = {name: number for name, number in entry.replayed.items() if isinstance(number, int)}
    told = {name: counts.get(name, 0) for name in ("dropped", "ahead", "superseded")} | {
        "rejected again": rejected(counts),
        UNTIMED: counts.get("untimed", 0),
    }
    told["left, not in the source table any more"] = counts.get("left", 0)
    more = "".join(f", {number:,} {name}" for name, number in told.items() if number)
    return f"replayed by {entry.replayed['run']}: {counts.get('loaded', 0):,} loaded{more}"


def runs_table(entries: Sequence[Entry], times: Times, etl: EtlLines, width: int | None) -> Iterator[Text]:
    """The lines of the table: a run each, and below it why it failed, or what became of what it rejected.

    Args:
        entries: the runs, at least one.
        times: prints windows.
        etl: makes lines of this command.
        width: columns of the terminal; None for as many as it takes.
    """
    full = _Full(times)
    lines = full.lines(entries)
    if width is not None and max(line.cell_len for line in lines) > width:
        lines = _Short(times).lines(entries)
    yield lines[0]
    for entry, line in zip(entries, lines[1:], strict=True):
        yield line
        yield from _notes(entry, etl)


@dataclass(frozen=True)
class _Full:
    """Rows of cells, each in full."""

    times: Times
    gap = "  "

    def lines(self, entries: Sequence[Entry]) -> list[Text]:
        zone = self.times.zones(instant for entry in entries if entry.window for instant in entry.window)
        rows = [self.head(f"window, {zone}"), *map(self.row, entries)]
        widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
        return [self._line(cells, widths) for cells in rows]

    def _line(self, cells: Sequence[Text], widths: Sequence[int]) -> Text:
        line = Text()
        for position, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            left = position < len(cells) - len(_COUNTS) - 1  # what follows are numbers
            padding = " " * (width - cell.cell_len)
            line.append_text(Text.assemble(cell, padding, self.gap) if left else Text.assemble(padding, cell, self.gap))
        line.rstrip()
        return line

    def head(self, window: str) -> list[Text]:
        return [Text(title, "dim") for title in ("run", "status", window, "took", *_COUNTS)]

    def row(self, entry: Entry) -> list[Text]:
        word = _ENDED.get(entry.status, entry.status.lower())
        return [_name(entry), Text(word, _style(entry)), *self.facts(entry)]

    def facts(self, entry: Entry) -> list[Text]:
        took = _UNKNOWN if entry.seconds is None else self.took(entry.seconds)
        counted = {name: entry.counts.get(name, 0) for name in _COUNTS} | {"rejected": rejected(entry.counts)}
        numbers = [self.number(counted[name]) if entry.counts else _UNKNOWN for name in _COUNTS]
        return [Text(self.window(entry)), Text(took), *map(Text, numbers)]

    def window(self, entry: Entry) -> str:
        if entry.replay:
            return f"replay of {entry.replay}"
        return " → ".join(map(self.instant, entry.window)) if entry.window else _UNKNOWN

    def instant(self, instant: datetime) -> str:
        return self.times.bare(instant)

    def took(self, seconds: float) -> str:
        return duration(seconds)

    def number(self, number: int) -> str:
        return f"{number:,}"


class _Short(_Full):
    """The same in 80 columns: a sign for the status, no years, no seconds, large numbers with three digits."""

    gap = " "

    def head(self, window: str) -> list[Text]:
        return [Text(title, "dim") for title in ("", "run", window, "took", *_COUNTS)]

    def row(self, entry: Entry) -> list[Text]:
        return [Text(_MARKS.get(entry.status, _FAILED_MARK), _style(entry)), _name(entry), *self.facts(entry)]

    def instant(self, instant: datetime) -> str:
        return self.times.shifted(instant).strftime("%m-%d %H:%M")

    def took(self, seconds: float) -> str:
        return duration(seconds).replace(" min ", "m").replace(" h ", "h").replace("min", "m").replace(" ", "")

    def number(self, number: int) -> str:
        for unit, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
            if number >= max(unit, 10**5):
                return f"{number / unit:.3g}{sign}"
        return f"{number:,}"


def _style(entry: Entry) -> str:
    return _STYLES.get(entry.status, _FAILED_STYLE)


def _name(entry: Entry) -> Text:
    """What `etl show` knows the run by, or its beginning: one that Plan could not name is told below."""
    return Text(entry.run) if entry.run else Text(f"{entry.name[: _RUN_WIDTH - 1]}…", "dim")


def _notes(entry: Entry, etl: EtlLines) -> Iterable[Text]:
    if entry.error:
        at = f" at {entry.stage}" if entry.stage else ""
        error = "" if entry.error == entry.status else f", {entry.error}"  # the recorder has nothing better then
        which = "" if entry.run else f": {etl.line('show', entry.name)}"
        yield Text(f"    {_ENDED.get(entry.status, 'failed')}{at}{error}{which}", _FAILED_STYLE)
    if untimed := entry.counts.get("untimed"):
        yield Text(f"    {untimed:,} {UNTIMED}", "yellow")
    if entry.replayed:
        yield Text(f"    {replay_words(entry)}", "dim")
