"""What the board shows of an execution: a step for each stage."""

from __future__ import annotations

from etl.model.counts import judged
from etl_cli.render.board import Step
from etl_cli.runs.counts import untimed_words
from etl_cli.runs.history import Stage
from etl_cli.runs.progress import Snapshot
from etl_cli.terminal.times import Times
from etl_cli.terminal.words import count, parse_instant, size

_DOING = {
    "Plan": "fixing the window",
    "Extract": "reading the source table",
    "Transform": "transforming",
    "Gate": "adding up what was rejected",
    "Load": "writing the destination table",
    "Finish": "checking the balance",
}

# The counts that the items of Transform are divided into.
_TAKEN = ("transformed", "dropped", "ahead", "untimed", "rejected_transform")


def stage_steps(snapshot: Snapshot, times: Times) -> list[Step]:
    """The stages of an execution as steps, those to come included."""
    steps = []
    known: dict[str, int] = {}  # counts of the stages before
    for stage in snapshot.timeline.stages.values():
        steps.append(_step(stage, snapshot, known, times))
        known = stage.counts or known
    return steps


def _step(stage: Stage, snapshot: Snapshot, known: dict[str, int], times: Times) -> Step:
    if stage.state == "waiting":
        return Step(stage.name)
    if stage.state == "failed":
        return Step(stage.name, "failed", snapshot.timeline.error, stage.seconds)
    if stage.state == "succeeded":
        return Step(stage.name, "succeeded", _done(stage, snapshot, times), stage.seconds)
    fraction, parts = _within(stage, snapshot, known)
    if stage.failed_invocations:
        parts.insert(0, f"{count(stage.failed_invocations, 'call')} failed, trying again")
    if stage.throttled_starts:
        parts.insert(0, f"{count(stage.throttled_starts, 'start')} throttled by Lambda, trying again")
    running_for = (snapshot.looked_at - stage.entered).total_seconds() if stage.entered else 0.0
    return Step(stage.name, "running", ", ".join(parts) or _DOING[stage.name], max(0.0, running_for), fraction)


def _done(stage: Stage, snapshot: Snapshot, times: Times) -> str:
    counts, run = stage.counts, snapshot.timeline.run
    got = {name: counts.get(name, 0) for name in ("read", "records", "loaded", "superseded")}
    if stage.name == "Plan":
        segments = f", {count(run['segments'], 'segment')}" if run.get("segments", 1) > 1 else ""
        return times.window(parse_instant(run["start"]), parse_instant(run["end"])) + segments if run else ""
    if stage.name == "Extract":
        return f"{count(got['read'], 'item')} read" + _rate(got["read"], stage.seconds) + _written(counts, "extract")
    if stage.name == "Transform":
        records = count(got["records"], "record") + _rate(got["records"], stage.seconds)
        aside = _rejected(counts, "transform") + untimed_words(counts.get("untimed", 0))
        return records + aside + _written(counts, "transform")
    if stage.name == "Gate":
        return f"{100 * counts.get('rejected_transform', 0) / (judged(counts) or 1):.1f} % rejected"
    if stage.name == "Load":
        superseded = f", {got['superseded']:,} superseded" if got["superseded"] else ""
        loaded = f"{count(got['loaded'], 'record')} loaded" + _rate(got["loaded"], stage.seconds)
        return loaded + superseded + _rejected(counts, "load")
    return "every item is accounted for"


def _rate(number: int, seconds: float | None) -> str:
    """How many in a second."""
    return f" ({number / seconds:,.0f}/s)" if number and seconds else ""


def _rate_so_far(number: int, stage: Stage) -> str:
    """How many in a second, up to the last invocation that ended."""
    seconds = (stage.counted - stage.entered).total_seconds() if stage.counted and stage.entered else 0.0
    return _rate(number, seconds)


def _rejected(counts: dict[str, int], stage: str) -> str:
    number = counts.get(f"rejected_{stage}", 0)
    return f", {number:,} rejected" if number else ""


def _written(counts: dict[str, int], stage: str) -> str:
    written = counts.get(f"{stage}_bytes", 0)
    return f", {size(written)}" if written else ""


def _within(stage: Stage, snapshot: Snapshot, known: dict[str, int]) -> tuple[float | None, list[str]]:
    """How much of a running stage is done, and what there is to say of it."""
    counts, parts, fractions = stage.counts, [], []
    if stage.name == "Extract" and counts.get("read"):
        parts.append(f"{count(counts['read'], 'item')} read{_rate_so_far(counts['read'], stage)}")
    if stage.name == "Transform" and known.get("extracted"):
        taken = sum(counts.get(name, 0) for name in _TAKEN)
        items = count(known["extracted"], "item")
        parts += [f"{taken:,} of {items}{_rate_so_far(taken, stage)}"] if taken else []
        fractions.append(taken / known["extracted"])
    if stage.name == "Load" and known.get("records"):
        taken = sum(counts.get(name, 0) for name in ("loaded", "superseded", "rejected_load"))
        rate = _rate_so_far(taken, stage)
        if (snapshot.arrived or 0) > taken:
            taken, rate = min(snapshot.arrived or 0, known["records"]), _rate(round(snapshot.arriving), 1.0)
        # Records that replace others don't make the table grow: then there is nothing to see.
        records = count(known["records"], "record")
        parts.append(f"{taken:,} of {records}{rate}" if taken else records)
        fractions.append(taken / known["records"])
    segments = snapshot.timeline.run.get("segments", 1)
    if segments > 1 and stage.name in ("Extract", "Transform", "Load"):
        parts.append(f"{stage.segments_done} of {segments} segments")
        fractions.append(stage.segments_done / segments)
    if snapshot.staged_objects:
        parts.append(f"{size(snapshot.staged_bytes or 0)} in {count(snapshot.staged_objects, 'object')}")
    fraction = max(fractions, default=0.0)
    return (fraction or None), parts
