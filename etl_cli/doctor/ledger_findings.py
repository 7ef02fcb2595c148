"""The pipeline's health by its ledger: its last run, its watermark, its gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from etl.model.limits import STAGED_DAYS
from etl.model.statuses import ABORTED, RUNNING, SUCCEEDED, UNKNOWN
from etl_cli.doctor.findings import Finding
from etl_cli.runs.coverage import OVERDUE_HOURS, covered_by, find_coverage, without
from etl_cli.runs.ledger import LedgerEntry, Watermark
from etl_cli.runs.outcome_words import UNTIMED, ended
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, plural
from etl_cli.terminal.times import Span, Times

_QUARANTINE_LASTS = timedelta(days=STAGED_DAYS)


def ledger_findings(
    entries: Sequence[LedgerEntry],
    watermark: Watermark | None,
    now: datetime,
    late: timedelta,
    times: Times,
    etl: EtlLines,
) -> Iterator[Finding]:
    """Judge the ledger: all of its entries, the latest first, and the watermark, which may be so late."""
    if not entries:
        yield Finding("last run", "warning", "there is none yet", "Start one:", etl.line("run"))
    else:
        yield _last_run(entries, watermark, times, etl)
    scheduled = next((entry for entry in entries if entry.is_scheduled), None)
    if scheduled and scheduled is not entries[0]:
        yield _scheduled_run(scheduled, entries, watermark, times, etl)
    judged = (*entries[:1], scheduled)
    if lost := [entry for entry in entries if entry.status == UNKNOWN and entry not in judged]:
        text = f"{plural(len(lost), 'run')} ended without a record; the last one is {lost[0].label}"
        yield Finding("no end", "warning", text, "See how they ended:", etl.line("runs", "--status", "unknown"))
    yield _watermark(watermark, now, late, times, etl)
    yield from _untimed(entries, now, etl)
    gaps = find_coverage(entries, watermark, now, timedelta(hours=OVERDUE_HOURS)).gaps
    if gaps:
        text = f"{plural(len(gaps), 'gap')} that no run has covered, from {times.instant(gaps[0].start)} on"
        yield Finding("gaps", "problem", text, "List them, each with the command that fills it:", etl.line("gaps"))
    else:
        yield Finding("gaps", "ok", "none")


def _run(about: str, entry: LedgerEntry, times: Times, etl: EtlLines) -> Finding:
    """Judge a run by itself."""
    started = f", {times.instant(entry.started)}" if entry.started else ""
    if entry.status == RUNNING:
        return Finding(about, "ok", f"{entry.label} is running{started}")
    if entry.status == SUCCEEDED:
        loaded = plural(entry.counts.get("loaded", 0), "record")
        took = f" in {duration(entry.seconds)}" if entry.seconds is not None else ""
        return Finding(about, "ok", f"{entry.label} succeeded{took}, {loaded} loaded{started}")
    text = f"{entry.label} {ended(entry.status, entry.stage, entry.error)}{started}"
    return Finding(about, "problem", text, "See the reason, and the next step:", etl.line("show", entry.label))


def _untimed(entries: Sequence[LedgerEntry], now: datetime, etl: EtlLines) -> Iterator[Finding]:
    """Items without a time: those of the latest run, and those of earlier runs that the next one didn't find.

    Every run of a window reads all of them. If it has fewer than the one before, some were corrected in between, and
    their times may be in windows that have run. Or they were deleted, or one only sorts like a time.
    """
    succeeded = [entry for entry in entries if entry.status == SUCCEEDED and not entry.replay]
    runs = [entry for entry in succeeded if entry.started and now - entry.started < _QUARANTINE_LASTS]
    for later, run in zip([None, *runs], runs or succeeded[:1], strict=False):
        # A replay leaves those that were not corrected by then.
        number = run.replayed.get("untimed", run.counts.get("untimed", 0))
        if later is None:
            text = f"{plural(number, 'item')} {UNTIMED} in quarantine of {run.label}: no window loads them"
            remedy = "Correct their times at the source, then replay that quarantine:"
        else:
            # Ids of runs sort by time.
            number = 0 if run.replayed.get("run", "") > later.run else number - later.counts.get("untimed", 0)
            text = f"{plural(number, 'item')} {UNTIMED} in quarantine of {run.label}, and not in the next run's"
            remedy = "If you corrected them, maybe no window loads them. This command does:"
        if number > 0:
            yield Finding("timestamps", "warning", text, remedy, etl.line("quarantine", "replay", run.label))


def _last_run(entries: Sequence[LedgerEntry], watermark: Watermark | None, times: Times, etl: EtlLines) -> Finding:
    """Judge the last run: it is no problem if a person stopped it and no time is missing."""
    last = entries[0]
    found = _run("last run", last, times, etl)
    if found.level != "problem":
        return found
    if last.error == "InputError":
        return replace(found, level="warning", remedy="Its input was refused, and no time is missing. See the reason:")
    covered = last.replay or (last.window and not without([last.window], covered_by(entries, watermark)))
    if last.status == ABORTED and covered:
        return replace(found, level="warning", remedy="No time is missing. See its progress:")
    return found


def _scheduled_run(
    entry: LedgerEntry, entries: Sequence[LedgerEntry], watermark: Watermark | None, times: Times, etl: EtlLines
) -> Finding:
    """Judge the schedule's last run if other runs came later, which may have loaded its window."""
    found = _run("scheduled run", entry, times, etl)
    if found.level != "problem":
        return found
    window = entry.window
    if window is None and watermark and entry.started:  # it would have continued from the watermark
        window = Span(watermark.since, entry.started)
    missing = without([window], covered_by(entries, watermark)) if window else []
    if window and not missing:
        return replace(found, level="warning", remedy="Later runs have loaded its window. See the reason:")
    if len(missing) != 1 or entry.error == "CatchUpError":
        return replace(
            found, remedy=f"See the reason: {found.command}. List the missing time:", command=etl.line("gaps")
        )
    return replace(
        found, remedy=f"See the reason: {found.command}. Load the missing time:", command=etl.run(missing[0])
    )


def _watermark(watermark: Watermark | None, now: datetime, late: timedelta, times: Times, etl: EtlLines) -> Finding:
    if watermark is None:
        text = "there is none yet: the schedule has not run"
        return Finding(
            "watermark", "warning", text, "The first run without a window of its own sets it:", etl.line("run")
        )
    age = now - watermark.end
    text = f"{times.instant(watermark.end)}, {duration(max(0.0, age.total_seconds()))} ago"
    if age <= late:
        return Finding("watermark", "ok", text)
    text += f": data are late, {late // timedelta(hours=1)} h are allowed"
    remedy = "Look for runs that failed or are missing; the next run catches up:"
    return Finding("watermark", "problem", text, remedy, etl.line("runs"))
