"""The steps of the board for an execution: one for each stage."""

from __future__ import annotations

from etl.model.counts import BALANCE, rejected, rejected_share, reported_by
from etl.model.instants import parse_instant
from etl.model.stages import BY_STATE, EXTRACT, FINISH, GATE, LOAD, PLAN, TRANSFORM
from etl_cli.render.board import Step
from etl_cli.runs.history import StageProgress
from etl_cli.runs.outcome_words import untimed_words
from etl_cli.runs.progress import Snapshot
from etl_cli.terminal.formats import plural, size
from etl_cli.terminal.times import Times

# By the stage's action: the count that the stage works off, and the counts that add up to it.
_WORKED_OFF = {equation.stage: equation for equation in BALANCE}


def stage_steps(snapshot: Snapshot, times: Times) -> list[Step]:
    """The stages of an execution as steps, with those that still wait."""
    steps = []
    known: dict[str, int] = {}  # counts of the stages before
    for stage in snapshot.timeline.stages.values():
        steps.append(_step(stage, snapshot, known, times))
        known = stage.counts or known
    return steps


def _step(stage: StageProgress, snapshot: Snapshot, known: dict[str, int], times: Times) -> Step:
    if stage.state == "waiting":
        return Step(stage.name)
    if stage.state == "failed":
        return Step(stage.name, "failed", snapshot.timeline.error, stage.seconds)
    if stage.state == "succeeded":
        return Step(stage.name, "succeeded", _result(stage, snapshot, times), stage.seconds)
    fraction, parts = _progress(stage, snapshot, known)
    if stage.failed_invocations:
        parts.insert(0, f"{plural(stage.failed_invocations, 'call')} failed, trying again")
    if stage.throttled_starts:
        parts.insert(0, f"{plural(stage.throttled_starts, 'start')} throttled by Lambda, trying again")
    running_for = (snapshot.looked_at - stage.entered_at).total_seconds() if stage.entered_at else 0.0
    return Step(stage.name, "running", ", ".join(parts) or BY_STATE[stage.name].doing, max(0.0, running_for), fraction)


def _result(stage: StageProgress, snapshot: Snapshot, times: Times) -> str:
    """The result of a stage that succeeded."""
    counts, run, action = stage.counts, snapshot.timeline.run, BY_STATE[stage.name].action
    if action == PLAN:
        segments = f", {plural(run.segments, 'segment')}" if run and run.segments > 1 else ""
        return times.window(parse_instant(run.start), parse_instant(run.end)) + segments if run else ""
    if action == GATE:
        share = rejected_share(GATE, counts)
        return f"{share.percent if share.whole else '0.0'} % rejected"
    if action == FINISH:
        return "every item is accounted for"
    return _worked(action, counts, stage.seconds)


def _worked(action: str, counts: dict[str, int], seconds: float | None) -> str:
    """The result of a stage that works on segments."""
    if action == EXTRACT:
        read = counts.get("read", 0)
        return f"{plural(read, 'item')} read" + _rate(read, seconds) + _written(counts, action)
    if action == TRANSFORM:
        records = counts.get("records", 0)
        aside = _rejected(counts, action) + untimed_words(counts.get("untimed", 0))
        return plural(records, "record") + _rate(records, seconds) + aside + _written(counts, action)
    if action == LOAD:
        loaded, superseded = counts.get("loaded", 0), counts.get("superseded", 0)
        replaced = f", {superseded:,} superseded" if superseded else ""
        return f"{plural(loaded, 'record')} loaded" + _rate(loaded, seconds) + replaced + _rejected(counts, action)
    return ", ".join(f"{counts.get(name, 0):,} {name}" for name in reported_by(action))


def _rate(number: int, seconds: float | None) -> str:
    """A number per second."""
    return f" ({number / seconds:,.0f}/s)" if number and seconds else ""


def _rate_so_far(number: int, stage: StageProgress) -> str:
    """A number per second, up to the last invocation that ended."""
    seconds = (stage.counted_at - stage.entered_at).total_seconds() if stage.counted_at and stage.entered_at else 0.0
    return _rate(number, seconds)


def _rejected(counts: dict[str, int], action: str) -> str:
    number = rejected(counts, action)
    return f", {number:,} rejected" if number else ""


def _written(counts: dict[str, int], action: str) -> str:
    written = counts.get(f"{action}_bytes", 0)
    return f", {size(written)}" if written else ""


def _progress(stage: StageProgress, snapshot: Snapshot, known: dict[str, int]) -> tuple[float | None, list[str]]:
    """The part of a running stage that is done, from 0 to 1 or None, and its facts in words."""
    counts, parts, fractions = stage.counts, [], []
    if BY_STATE[stage.name].action == EXTRACT and counts.get("read"):
        parts.append(f"{plural(counts['read'], 'item')} read{_rate_so_far(counts['read'], stage)}")
    equation = _WORKED_OFF.get(BY_STATE[stage.name].action)
    total = known.get(equation.total, 0) if equation else 0
    if equation and total:
        taken = sum(counts.get(name, 0) for name in equation.parts)
        rate = _rate_so_far(taken, stage)
        # Records that replace others don't make the table grow: then only the workers' counts show progress.
        if (snapshot.arrived or 0) > taken:
            taken, rate = min(snapshot.arrived or 0, total), _rate(round(snapshot.arriving), 1.0)
        things = plural(total, "item" if equation.total == "extracted" else "record")
        if taken or BY_STATE[stage.name].action == LOAD:
            parts.append(f"{taken:,} of {things}{rate}" if taken else things)
        fractions.append(taken / total)
    if snapshot.timeline.segments > 1 and BY_STATE[stage.name].is_map:
        parts.append(f"{stage.segments_done} of {snapshot.timeline.segments} segments")
        fractions.append(stage.segments_done / snapshot.timeline.segments)
    if snapshot.staged_objects:
        parts.append(f"{size(snapshot.staged_bytes or 0)} in {plural(snapshot.staged_objects, 'object')}")
    return max(fractions, default=0.0) or None, parts
