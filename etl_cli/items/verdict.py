"""What an explanation comes to: a sentence, and the lines that go on from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_cli.items.item_time import has_signs_of_time, smallest_window, window_of_text
from etl_cli.runs.phrases import ended
from etl_cli.terminal.words import format_instant

if TYPE_CHECKING:
    from etl_cli.items.explanation import Explanation
    from etl_cli.items.rejections import Reason
    from etl_cli.items.search import Found
    from etl_cli.terminal.etl_lines import EtlLines


@dataclass(frozen=True)
class Verdict:
    """What became of an item.

    Attributes:
        outcome: ``loaded``, ``changed``, ``quarantined``, ``dropped``, ``failed``, ``running``, ``not read``,
            ``overwritten``, ``deleted`` or ``unknown``.
        says: the same in words.
        advice: what to do; empty if there is nothing to do.
        lines: for a shell, with which to do it.
    """

    outcome: str
    says: str
    advice: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def is_fine(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice


def judge(explanation: Explanation, lines: EtlLines) -> Verdict:
    """Say what became of an item.

    Args:
        explanation: all that is known of it.
        lines: makes lines for a shell.
    """
    found = explanation.latest
    return _read(explanation, found, lines) if found else _not_read(explanation, lines)


def _read(explanation: Explanation, found: Found, lines: EtlLines) -> Verdict:
    entry = found.entry
    run = entry.run
    if found.rejections:
        stage, reason = found.rejections[0]
        says = f"In quarantine of run {run}, which {stage.capitalize()} put it into: {reason}."
        advice = f"{_correction(reason)}, see what would become of it now, and run the quarantine again."
        preview = [lines.line("preview", "--id", explanation.identity)] if explanation.source else []
        return Verdict("quarantined", says, advice, [*preview, lines.line("quarantine", "replay", run)])
    if entry.status == "RUNNING":
        return Verdict("running", f"Run {run} has read it, and isn't done.", "Wait for it.", [lines.line("watch", run)])
    if entry.status != "SUCCEEDED":
        says = f"Run {run} read it, and {ended(entry.status, entry.stage, entry.error)}."
        return _again("failed", says, explanation, found, lines)
    if explanation.has_changed:
        says = f"Run {run} loaded it as it was then; the source table holds another version now."
        return _again("changed", says, explanation, found, lines)
    return _loaded(explanation, found, lines)


def _correction(reason: Reason) -> str:
    """The part of an advice on what to correct, by the reason."""
    if reason.untimed:
        return "Correct its timestamp in the source table, since transformation.py never gets the item"
    return "Correct the item or transformation.py"


def _loaded(explanation: Explanation, found: Found, lines: EtlLines) -> Verdict:
    run = found.entry.run
    if not found.records:
        dropped = found.entry.counts.get("dropped", 0)
        says = (
            f"Run {run} read it, and transform() returned nothing for it"
            if dropped
            else (f"Run {run} read it, and transform() gave what it made of it other ids")
        )
        return Verdict("dropped", f"{says}.")
    if explanation.is_as_made:
        looked_at, made = len(found.records), found.made.number
        part = f": {looked_at} of {made:,} records were looked at" if looked_at < made else ""
        return Verdict("loaded", f"The destination holds what run {run} made of it{part}.")
    if explanation.destination:
        return Verdict(
            "overwritten",
            f"The destination holds something else than run {run} made of it: another run or program wrote it since.",
        )
    says = f"Run {run} loaded it, and the destination has it no more: it was deleted there."
    return _again("deleted", says, explanation, found, lines)


def _again(outcome: str, says: str, explanation: Explanation, found: Found, lines: EtlLines) -> Verdict:
    """The verdict on what another run of its time puts right."""
    if explanation.instant and explanation.instant >= explanation.now:
        return Verdict(outcome, says, "Its time is yet to come: the first run after it reads it.")
    window = smallest_window(explanation.instant) if explanation.instant else found.entry.window
    return Verdict(outcome, says, _when(explanation), [lines.run(window)] if window else [])


def _when(explanation: Explanation) -> str:
    """When its time is run again, before the line that does it."""
    instant, watermark = explanation.instant, explanation.watermark
    if instant and watermark and instant >= watermark.end:
        return "The next scheduled run reads it. To run its time now:"
    return "To run its time:"


def _not_read(explanation: Explanation, lines: EtlLines) -> Verdict:
    """The verdict on an item that no run has read, of those that were searched."""
    if explanation.source is None:
        return Verdict("unknown", "The destination holds it. The source table doesn't, nor has a run read it lately.")
    if explanation.untimed:
        return _untimed(explanation, lines)
    instant = explanation.instant
    if instant is None or instant >= explanation.now:
        advice = "The first run after that time reads it, if it is one of the schedule."
        return Verdict("not read", "Its timestamp is in the future, and no window reaches beyond the present.", advice)
    outcome, says = _why_not(explanation)
    if outcome != "not read":
        return Verdict(outcome, says)
    return Verdict(outcome, says, _when(explanation), [lines.run(smallest_window(instant))])


def _untimed(explanation: Explanation, lines: EtlLines) -> Verdict:
    """The verdict on an item without a usable timestamp that no run has read yet."""
    timestamp = explanation.timestamp
    says = f"It has no usable timestamp, and no run has read it yet: {explanation.untimed}."
    again = [lines.line("preview", "--id", explanation.identity)]
    window = window_of_text(timestamp) if has_signs_of_time(timestamp) else None
    if window is None or window.end > explanation.now:
        advice = "Correct it in the source table. Until then every run sets it aside, and loads the others."
        return Verdict("not read", says, advice, again)
    when = f"{format_instant(window.start)} to {format_instant(window.end)}"
    advice = f"Correct it in the source table. Until then only a run of {when} reads it, and sets it aside."
    return Verdict("not read", says, advice, again)


def _why_not(explanation: Explanation) -> tuple[str, str]:
    """Why no run has read an item with a usable timestamp that has passed: outcome, and sentence."""
    runs = {found.entry.status: found for found in reversed(explanation.runs)}  # the latest of each status
    succeeded = runs.get("SUCCEEDED")
    if not runs:
        return "not read", "No run's window covers its timestamp."
    if succeeded and succeeded.state != "not read":
        name = succeeded.entry.run
        how = "has expired" if succeeded.state == "gone" else "was not searched (--runs)"
        if explanation.destination:
            return "loaded", f"The destination holds it. Run {name} covers its timestamp; what it staged {how}."
        return "not read", f"Run {name} covers its timestamp, and the destination hasn't it; what it staged {how}."
    if "RUNNING" in runs:
        return "running", f"Run {runs['RUNNING'].entry.run} covers its timestamp, and is going on."
    if succeeded:
        says = f"Run {succeeded.entry.run} covers its timestamp and didn't find it: it came into the table afterwards."
        return "not read", says
    latest = explanation.runs[0].entry
    how = ended(latest.status, latest.stage, latest.error)
    says = f"Run {latest.run or latest.name} covers its timestamp, and {how}."
    return "not read", says
