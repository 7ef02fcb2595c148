"""The verdict on an item: a sentence, and the commands to go on with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.items.item_time import is_read_by_all, smallest_window
from etl_cli.runs.outcome_words import ended

if TYPE_CHECKING:
    from etl_cli.items.explanation import Explanation
    from etl_cli.items.search import ItemInRun
    from etl_cli.terminal.etl_lines import EtlLines


@dataclass(frozen=True)
class Verdict:
    """The verdict on an item: the outcome, in words, and the next step with its commands.

    The outcome is ``loaded``, ``changed``, ``quarantined``, ``dropped``, ``excluded``, ``failed``, ``running``,
    ``not read``, ``overwritten``, ``deleted`` or ``unknown``.
    """

    outcome: str
    says: str
    advice: str = ""
    lines: list[str] = field(default_factory=list)


def judge(explanation: Explanation, lines: EtlLines) -> Verdict:
    """Judge an item by all facts about it."""
    found = explanation.latest
    return _read(explanation, found, lines) if found else _not_read(explanation, lines)


def _read(explanation: Explanation, found: ItemInRun, lines: EtlLines) -> Verdict:
    entry = found.entry
    run = entry.run
    if found.rejections:
        return _quarantined(explanation, found, lines)
    if entry.status == RUNNING:
        return Verdict("running", f"Run {run} has read it, and is still running.", "Wait:", [lines.line("watch", run)])
    if entry.status != SUCCEEDED:
        says = f"Run {run} read it, and {ended(entry.status, entry.stage, entry.error)}."
        return _run_again("failed", says, explanation, found, lines)
    if explanation.has_changed:
        says = f"Run {run} loaded an earlier version. The source table holds another version now."
        return _run_again("changed", says, explanation, found, lines)
    return _loaded(explanation, found, lines)


def _quarantined(explanation: Explanation, found: ItemInRun, lines: EtlLines) -> Verdict:
    run, rejection = found.entry.run, found.rejections[0]
    correct = "Correct the item or transformation.py"
    if rejection.untimed:
        time = explanation.schema.time.text
        correct = f"Correct the {time} in the source table; transformation.py never gets the item"
    return Verdict(
        "quarantined",
        f"It is in quarantine of run {run}: {rejection}.",
        f"{correct}. Then preview it, and replay the quarantine:",
        [
            *([_preview(explanation, lines)] if explanation.source else []),
            lines.line("quarantine", "replay", run),
        ],
    )


def _loaded(explanation: Explanation, found: ItemInRun, lines: EtlLines) -> Verdict:
    run = found.entry.run
    if found.excluded:
        says = f"Run {run} read it and left it out: it had no usable {explanation.schema.time.text}."
        advice = "The setting source_cursor_missing is exclude. Correct the item in the source table, or the setting."
        return Verdict("excluded", says, advice)
    if not found.records:
        returned = "nothing for it" if found.entry.counts.get("dropped", 0) else "only records with other keys"
        return Verdict("dropped", f"Run {run} read it, and transform() returned {returned}.")
    if explanation.is_as_made:
        looked_at, made = len(found.records), found.made.number
        part = f" ({looked_at} of {made:,} records were looked at)" if looked_at < made else ""
        return Verdict("loaded", f"The destination holds it as run {run} made it{part}.")
    if explanation.destination:
        says = f"The destination holds another version than run {run} made: another run or program wrote it since."
        return Verdict("overwritten", says)
    says = f"Run {run} loaded it, and it was deleted from the destination since."
    return _run_again("deleted", says, explanation, found, lines)


def _run_again(outcome: str, says: str, explanation: Explanation, found: ItemInRun, lines: EtlLines) -> Verdict:
    """The verdict on an item that another run of its window puts right."""
    if explanation.instant and explanation.instant >= explanation.now:
        return Verdict(outcome, says, f"{_its_time(explanation)} is in the future: the first run after it reads it.")
    if explanation.schema.time.format == "none":
        return Verdict(outcome, says, _when(explanation), [lines.line("run")])
    window = smallest_window(explanation.instant) if explanation.instant else found.entry.window
    return Verdict(outcome, says, _when(explanation), [lines.run(window)] if window else [])


def _when(explanation: Explanation) -> str:
    """The advice to run the item's window again."""
    if explanation.schema.time.format == "none":
        return "The next run reads the whole table again. To run it now:"
    instant, watermark = explanation.instant, explanation.watermark
    if instant and watermark and instant >= watermark.end:
        return "The next scheduled run reads it. To run its window now:"
    return "To run its window:"


def _not_read(explanation: Explanation, lines: EtlLines) -> Verdict:
    """The verdict on an item that none of the searched runs has read."""
    if explanation.source is None:
        return Verdict("unknown", "The destination holds it. The source table doesn't, and no recent run has read it.")
    if explanation.untimed:
        return _untimed(explanation, lines)
    instant = explanation.instant
    if instant and instant >= explanation.now:
        says = f"{_its_time(explanation)} is in the future, and no window reaches beyond the present."
        return Verdict("not read", says, "The first scheduled run after that time reads it.")
    outcome, says = _why_not(explanation)
    if outcome != "not read":
        return Verdict(outcome, says)
    again = lines.run(smallest_window(instant)) if instant else lines.line("run")
    return Verdict(outcome, says, _when(explanation), [again])


def _its_time(explanation: Explanation) -> str:
    return f"Its {explanation.schema.time.text}"


def _preview(explanation: Explanation, lines: EtlLines) -> str:
    text = explanation.key.text
    # An option takes no value that begins with a dash, unless both are one word.
    return lines.line("preview", *([f"--id={text}"] if text.startswith("-") else ["--id", text]))


def _untimed(explanation: Explanation, lines: EtlLines) -> Verdict:
    """The verdict on an item without a usable timestamp that no run has read yet."""
    time = explanation.schema.time
    is_read = is_read_by_all(time, explanation.time)
    run = "every run" if is_read else "only a run whose window the text sorts into"
    does = {"quarantine": "sets it aside", "include": "loads it", "exclude": "leaves it out"}[time.missing]
    return Verdict(
        "not read",
        f"It has no usable {time.text}, and no run has read it yet: {explanation.untimed}.",
        f"Correct it in the source table. Until then {run} reads it, and {does}.",
        [_preview(explanation, lines)],
    )


def _why_not(explanation: Explanation) -> tuple[str, str]:
    """The outcome, and the reason why no run has read an item whose time has passed."""
    time = explanation.schema.time
    covers_it = "reads the whole table" if time.format == "none" else f"covers its {time.text}"
    runs = {found.entry.status: found for found in reversed(explanation.runs)}  # the latest of each status
    succeeded = runs.get(SUCCEEDED)
    if not runs:
        return "not read", "No run's window covers " + ("it." if time.format == "none" else f"its {time.text}.")
    if succeeded and succeeded.state != "not read":
        covers = f"Run {succeeded.entry.run} {covers_it}"
        how = "have expired" if succeeded.state == "gone" else "were not searched (--runs)"
        if succeeded.state == "other keys":
            how = "are of tables with other keys than now"
        if explanation.destination:
            return "loaded", f"The destination holds it. {covers}; its staged objects {how}."
        return "not read", f"{covers}, and the destination doesn't hold the item; its staged objects {how}."
    if RUNNING in runs:
        return "running", f"Run {runs[RUNNING].entry.run} {covers_it}, and is still running."
    if succeeded:
        filtered = ", or source_filter doesn't pick it" if explanation.schema.filter else ""
        says = f"Run {succeeded.entry.run} {covers_it} and didn't find it: it came into the table afterwards{filtered}."
        return "not read", says
    latest = explanation.runs[0].entry
    how = ended(latest.status, latest.stage, latest.error)
    return "not read", f"Run {latest.label} {covers_it}, and {how}."
