"""What the ledger says of the pipeline's health: its last run, its watermark, its gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from etl_cli.doctor.findings import Finding
from etl_cli.etl_lines import EtlLines
from etl_cli.execution.coverage import Watermark, find_coverage
from etl_cli.execution.ledger import Entry
from etl_cli.past.gaps import OVERDUE_HOURS
from etl_cli.times import Times
from etl_cli.wording import count, duration

# The state machine gives a run 30 minutes; five more are for recording its end.
_LONGEST_RUN = timedelta(minutes=35)


def ledger_findings(
    entries: Sequence[Entry], watermark: Watermark | None, now: datetime, late: timedelta, times: Times, etl: EtlLines
) -> Iterator[Finding]:
    """Judge the ledger.

    Args:
        entries: all of its entries, the latest first.
        watermark: None before the first scheduled run.
        now: the present.
        late: how old the watermark may be.
        times: prints instants.
        etl: makes lines of this command.
    """
    yield _last_run(entries, now, times, etl)
    yield _watermark(watermark, now, late, times, etl)
    gaps = find_coverage(entries, watermark, now, timedelta(hours=OVERDUE_HOURS)).gaps
    if gaps:
        text = f"{count(len(gaps), 'gap')}: time that no run has covered, from {times.instant(gaps[0].start)} on"
        yield Finding("gaps", "problem", text, "List them, each with the line that fills it:", etl.line("gaps"))
    else:
        yield Finding("gaps", "ok", "none")


def _last_run(entries: Sequence[Entry], now: datetime, times: Times, etl: EtlLines) -> Finding:
    if not entries:
        return Finding("last run", "warning", "there is none yet", "Start one:", etl.line("run"))
    last = entries[0]
    name = last.run or last.name
    started = f", {times.instant(last.started)}" if last.started else ""
    show = etl.line("show", name)
    if last.status == "RUNNING":
        if last.started and now - last.started > _LONGEST_RUN:
            text = f"{name} is running since {times.instant(last.started)}, and can't take that long"
            return Finding("last run", "problem", text, "Its end was not recorded; see what became of it:", show)
        return Finding("last run", "ok", f"{name} is running{started}")
    if last.status == "SUCCEEDED":
        loaded = count(last.counts.get("loaded", 0), "record")
        took = f" in {duration(last.seconds)}" if last.seconds is not None else ""
        return Finding("last run", "ok", f"{name} succeeded{took}, {loaded} loaded{started}")
    ended = {"ABORTED": "was stopped", "TIMED_OUT": "ran out of time"}.get(last.status, "failed")
    stage = f" at {last.stage}" if last.stage else ""
    text = f"{name} {ended}{stage}: {last.error or last.status}{started}"
    return Finding("last run", "problem", text, "See why, and what to do:", show)


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
    remedy = "See in the history which runs failed or are missing; the next run catches up:"
    return Finding("watermark", "problem", text, remedy, etl.line("runs"))
