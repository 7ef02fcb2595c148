"""What the local transformation makes of items: of some of the source table, or of what a run has read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from etl_cli.items import local_transformation as stage_code
from etl_cli.items import staged_parts
from etl_cli.items.comparison import Comparison
from etl_cli.items.kinds import MOST_KINDS, OTHER_KINDS, kind_of
from etl_cli.items.local_transformation import LocalTransformation, Outcome, Run
from etl_cli.items.preview_items import OnProgress, Taken
from etl_cli.items.rejections import Reason, Tally
from etl_cli.runs.staged import rejected_records
from etl_cli.runs.staged_record import loaded_item
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.runs.ledger import Entry

# Stages behind Transform: what a run that failed there has transformed lies there whole.
_AFTER_TRANSFORM = ("Gate", "Load", "Finish")
_LOOK_AHEAD = 10_000
# Of items, which the sample has anyway, and of the records that came of them.
MOST_KEPT_BYTES = 80_000_000
_PROGRESS_ITEMS = 1000
STAGE = "transform"


@dataclass
class Rehearsed:
    """What became of items.

    Attributes:
        run: what `transform()` was told of the run.
        items: how many there were.
        dropped: of how many nothing is loaded.
        ahead: how many are left to a later run.
        records: how many records are loaded.
        aside: the reasons why others aren't.
        kinds: how many items change in the same way, by that in words.
        outcomes: what became of each, as long as they have ``MOST_KEPT_BYTES`` at most.
        not_kept: how many more there are.
        aggregates: ``name``, ``by`` and ``groups`` of each.
    """

    run: Run
    items: int = 0
    dropped: int = 0
    ahead: int = 0
    records: int = 0
    aside: Tally = field(default_factory=Tally)
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: list[Outcome] = field(default_factory=list)
    not_kept: int = 0
    aggregates: list[dict[str, Any]] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        """Count what became of an item."""
        self.items += 1
        self.records += len(outcome.records)
        if outcome.reason:
            self.aside.add(STAGE, outcome.reason, outcome.identity)
        self.dropped += outcome.fate == "dropped"
        self.ahead += outcome.fate == "ahead"


@dataclass
class RehearsedRun(Rehearsed):
    """What became of the items of an earlier run, and what had become of them then.

    Attributes:
        entry: the run's in the ledger.
        comparison: records of then and now; None if the run got no further than Transform.
        aside_then: what Transform set aside then.
        complete: whether all of the run's items were taken.
    """

    entry: Entry = field(kw_only=True)
    comparison: Comparison | None = None
    aside_then: Tally = field(default_factory=Tally)
    complete: bool = True


def rehearse(transformation: LocalTransformation, taken: Taken) -> Rehearsed:
    """Run items through a transformation."""
    rehearsed, size = Rehearsed(taken.run), 0
    for outcome in transformation.outcomes(taken.lines, taken.run):
        rehearsed.take(outcome)
        kind = kind_of(outcome)
        rehearsed.kinds[kind if kind in rehearsed.kinds or len(rehearsed.kinds) < MOST_KINDS else OTHER_KINDS] += 1
        size += outcome.size
        if not rehearsed.outcomes or size <= MOST_KEPT_BYTES:
            rehearsed.outcomes.append(outcome)
    rehearsed.not_kept = rehearsed.items - len(rehearsed.outcomes)
    rehearsed.aggregates = transformation.aggregates()
    return rehearsed


class PastRun:
    """A run of the past whose items go through a transformation once more, in that run's window.

    Args:
        pipeline: where to look.
        entry: the run's in the ledger.

    Raises:
        UserError: it is still running, has read nothing, or what it staged has expired.
    """

    def __init__(self, pipeline: Pipeline, entry: Entry) -> None:
        if entry.status == "RUNNING":
            raise UserError(f"Run {entry.label} is still running.", "Try again when it has ended.")
        run = stage_code.manifest(pipeline, entry.run) if entry.run else None
        self._extract = staged_parts.segments(pipeline, "extract", entry.run) if run else {}
        if run is None or not self._extract:
            raise UserError(
                f"There is nothing to see of what run {entry.label} has read.",
                "It ended before it read anything, or that has expired, as staged objects do after 30 days.",
            )
        self._pipeline = pipeline
        self._entry = entry
        self.run = run
        transformed = entry.status == "SUCCEEDED" or entry.stage in _AFTER_TRANSFORM
        self._transform = staged_parts.segments(pipeline, "transform", entry.run) if transformed else None

    def rehearse(
        self,
        transformation: LocalTransformation,
        most: int | None = None,
        most_examples: int = 3,
        on_progress: OnProgress = lambda _: None,
    ) -> RehearsedRun:
        """Run its items through a transformation, and compare what comes of them with what came of them then.

        Args:
            transformation: the transformation.
            most: how many items; None for all.
            most_examples: of each kind of difference.
            on_progress: called with the number of items so far.
        """
        comparison = Comparison(stage_code.key_of, loaded_item, most_examples) if self._transform else None
        rehearsed = RehearsedRun(self.run, entry=self._entry, comparison=comparison)
        ids: set[str] = set()
        for segment, parts in self._extract.items():
            left = None if most is None else most - rehearsed.items
            then = staged_parts.lines(self._pipeline, (self._transform or {}).get(segment, ()))
            lines = islice(staged_parts.lines(self._pipeline, parts), left)
            for outcome in transformation.outcomes(lines, self.run):
                rehearsed.take(outcome)
                if most is not None:
                    ids.add(outcome.identity)
                if comparison:
                    _side_by_side(comparison, outcome, then)
                if rehearsed.items % _PROGRESS_ITEMS == 0:
                    on_progress(rehearsed.items)
            rehearsed.complete = most is None or rehearsed.items < most
            if comparison:
                _catch_up(comparison, then, rehearsed)
            if not rehearsed.complete:
                break
        if comparison and rehearsed.complete:
            for line in transformation.aggregate_records(self.run):
                comparison.take_now(line)
        taken = None if rehearsed.complete else ids
        if comparison:
            comparison.finish(taken)
        rehearsed.aggregates = transformation.aggregates()
        rehearsed.aside_then = self._aside_then(taken)
        return rehearsed

    def _aside_then(self, ids: set[str] | None) -> Tally:
        tally = Tally()
        for record in rejected_records(self._pipeline, self._entry.run):
            if record.stage == STAGE and (ids is None or record.identity in ids):
                tally.add(STAGE, Reason.of(record), record.identity)
        return tally


def _side_by_side(comparison: Comparison, outcome: Outcome, then: Iterator[bytes]) -> None:
    """Take as many records of then as there are now: Transform kept the order of the items."""
    for line in outcome.records:
        comparison.take_now(line)
        earlier = next(then, None)
        if earlier is not None:
            comparison.take_then(earlier)


def _catch_up(comparison: Comparison, then: Iterator[bytes], rehearsed: RehearsedRun) -> None:
    """Take the other records of then: all of them, or as many as are likely to come of the items that were taken."""
    if rehearsed.complete:
        for line in then:
            comparison.take_then(line)
        return
    for line in islice(then, _LOOK_AHEAD):
        comparison.take_then(line)
        if comparison.taken_then >= rehearsed.items and not comparison.is_waiting:
            return
