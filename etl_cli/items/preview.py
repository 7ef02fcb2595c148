"""Previews: the outcome of your transformation for a sample, or for the items of an earlier run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from etl.model.keys import Key
from etl.model.run import Run
from etl.model.stages import BY_ACTION, EXTRACT, STATES, TRANSFORM
from etl.model.statuses import RUNNING, SUCCEEDED
from etl_cli.items.comparison import Comparison
from etl_cli.items.quarantine import records_of
from etl_cli.items.rejections import Tally
from etl_cli.items.sample import OnProgress, Sample
from etl_cli.runs.item_changes import changes
from etl_cli.runs.outcome_words import UNTIMED
from etl_cli.runs.staged import before_and_after, manifest, staged_lines, staged_parts
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment
    from etl_cli.items.local_transformation import LocalTransformation, Outcome
    from etl_cli.runs.ledger import LedgerEntry

_LOOK_AHEAD = 10_000
# Of the items, which the sample has anyway, and of their records.
MOST_KEPT_BYTES = 80_000_000
_PROGRESS_ITEMS = 1000
# Kinds of change that are counted apart, and changes of one item that make up its kind.
MOST_KINDS = 1_000
_MOST_CHANGES = 100
OTHER_KINDS = "in other ways"


@dataclass
class Preview:
    """The outcomes of items: their numbers, the rejections, and the aggregates.

    Attributes:
        left_out: number of items that a run leaves out, by the reason.
        included: number of items that pass without a time.
        kinds: number of items by the kind of their change.
        outcomes: one for each item, as long as they have ``MOST_KEPT_BYTES`` at most.
    """

    run: Run
    items: int = 0
    dropped: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    included: int = 0
    records: int = 0
    aside: Tally = field(default_factory=Tally)
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: list[Outcome] = field(default_factory=list)
    aggregates: list[dict[str, Any]] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Count the outcome of an item."""
        self.items += 1
        self.records += len(outcome.records)
        if outcome.rejection:
            self.aside.add(outcome.rejection)
        self.dropped += outcome.fate == "dropped"
        self.included += outcome.included
        if outcome.left_out:
            self.left_out[outcome.left_out] += 1


@dataclass
class RunPreview(Preview):
    """The outcomes of an earlier run's items, next to those of that run.

    There is no comparison if the run got no further than Transform. It is complete if it took all items of the run.
    """

    entry: LedgerEntry = field(kw_only=True)
    comparison: Comparison | None = None
    aside_then: Tally = field(default_factory=Tally)
    complete: bool = True


def preview_sample(transformation: LocalTransformation, sample: Sample) -> Preview:
    """Transform a sample."""
    preview, size = Preview(sample.run), 0
    for outcome in transformation.outcomes(sample.lines, sample.run):
        preview.take(outcome)
        kind = kind_of(outcome)
        preview.kinds[kind if kind in preview.kinds or len(preview.kinds) < MOST_KINDS else OTHER_KINDS] += 1
        size += outcome.size
        if not preview.outcomes or size <= MOST_KEPT_BYTES:
            preview.outcomes.append(outcome)
    preview.aggregates = transformation.aggregates()
    return preview


def kind_of(outcome: Outcome) -> str:
    """The kind of an item's change, in words: many items change alike."""
    if outcome.fate != "transformed":
        return UNTIMED if outcome.fate == "untimed" else outcome.fate
    if len(outcome.records) > 1:
        return f"{len(outcome.records)} records each"
    by_mark: dict[str, list[str]] = {}
    found = changes(*before_and_after(outcome.line, outcome.records[0]))
    for change in islice(found, _MOST_CHANGES):
        by_mark.setdefault(change.mark, []).append(change.path)
    words = "  ".join(f"{mark} {', '.join(by_mark[mark])}" for mark in "~+-" if mark in by_mark) or "unchanged"
    return words if next(found, None) is None else f"{words}, and more"


class EarlierRun:
    """A run that has ended, whose items your transformation takes once more, in the window of that run.

    Raises:
        UserError: the run is still running, has read nothing, or its staged objects have expired.
    """

    def __init__(self, deployment: Deployment, entry: LedgerEntry) -> None:
        if entry.status == RUNNING:
            raise UserError(f"Run {entry.label} is still running.", "Try again when it has ended.")
        run = manifest(deployment, entry.run) if entry.run else None
        self._extract = staged_parts(deployment, EXTRACT, entry.run) if run else {}
        if run is None or not self._extract:
            raise UserError(
                f"Run {entry.label} has no staged items.",
                "It ended before it read anything, or its staged objects have expired, which they do after 30 days.",
            )
        self._deployment = deployment
        self._entry = entry
        self.run = run
        self._transform = staged_parts(deployment, TRANSFORM, entry.run) if has_transformed(entry) else None

    def preview(
        self,
        transformation: LocalTransformation,
        most: int | None = None,
        most_examples: int = 3,
        on_progress: OnProgress = lambda _: None,
    ) -> RunPreview:
        """Transform the run's items, or only the first, and compare the records with those of the run.

        Each kind of difference gets some examples. Progress is the number of items so far.
        """
        comparison = Comparison(most_examples, self.run.schema) if self._transform else None
        preview = RunPreview(self.run, entry=self._entry, comparison=comparison)
        keys: set[Key] = set()
        for segment, parts in self._extract.items():
            then = staged_lines(self._deployment, *(self._transform or {}).get(segment, ()))
            remaining = None if most is None else most - preview.items
            lines = islice(staged_lines(self._deployment, *parts), remaining)
            for outcome in transformation.outcomes(lines, self.run):
                preview.take(outcome)
                if most is not None:
                    keys.add(outcome.key.values)
                if comparison:
                    _compare_in_step(comparison, outcome, then)
                if preview.items % _PROGRESS_ITEMS == 0:
                    on_progress(preview.items)
            preview.complete = most is None or preview.items < most
            if comparison:
                _compare_rest(comparison, then, preview)
            if not preview.complete:
                break
        taken = None if preview.complete else keys
        if comparison:
            for line in transformation.aggregate_records(self.run) if preview.complete else ():
                comparison.take_now(line)
            comparison.finish(taken)
        preview.aggregates = transformation.aggregates()
        preview.aside_then = self._aside_then(taken)
        return preview

    def _aside_then(self, keys: set[Key] | None) -> Tally:
        tally = Tally()
        for record in records_of(self._deployment, self._entry.run, schema=self.run.schema):
            if record.stage == TRANSFORM and (keys is None or record.key.values in keys):
                tally.add(record.rejection)
        return tally


def has_transformed(entry: LedgerEntry) -> bool:
    """Whether Transform has finished, so that all its records are staged."""
    after = STATES.index(BY_ACTION[TRANSFORM].state) + 1
    return entry.status == SUCCEEDED or entry.stage in STATES[after:]


def _compare_in_step(comparison: Comparison, outcome: Outcome, then: Iterator[bytes]) -> None:
    """Take as many records of then as of now: Transform keeps the order of the items."""
    for line in outcome.records:
        comparison.take_now(line)
        earlier = next(then, None)
        if earlier is not None:
            comparison.take_then(earlier)


def _compare_rest(comparison: Comparison, then: Iterator[bytes], preview: RunPreview) -> None:
    """Take the remaining records of then: all, or as many as are likely to come from the items that were taken."""
    if preview.complete:
        for line in then:
            comparison.take_then(line)
        return
    for line in islice(then, _LOOK_AHEAD):
        comparison.take_then(line)
        if comparison.taken_then >= preview.items and not comparison.is_waiting:
            return
