"""The counts of a run, and its balance: each item read is loaded, set aside or left out on purpose."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from etl.model.stages import BEFORE_GATE, EXTRACT, GATE, LOAD, MAPS, TRANSFORM, read_by

Counts = Mapping[str, int]


class Count(NamedTuple):
    """A count that each segment has.

    Attributes:
        name: its name in reports, logs and the ledger.
        stage: action of the stage that counts it.
        metric: the metric in CloudWatch that it feeds; empty for none.
        unit: the unit of that metric. Source: CloudWatch API reference, MetricDatum.
        reported: whether a run's report has it even if it is 0.
        outcome: whether it counts items by their fate. A replay notes these in the entry of the replayed run.
    """

    name: str
    stage: str
    metric: str = ""
    unit: str = "Count"
    reported: bool = False
    outcome: bool = False


NOT_REPLAYABLE = "left"
"""The count of quarantined records that a replay can't take up."""

# The state of an execution holds the counts by position, and its history can be read for 90 days: add a count at the
# end, and never move one.
TABLE = (
    Count("scanned", EXTRACT, "ItemsScanned", reported=True),
    Count("read", EXTRACT, "ItemsRead", reported=True, outcome=True),
    Count("read_units", EXTRACT),
    Count(NOT_REPLAYABLE, EXTRACT, outcome=True),
    Count("extracted", EXTRACT, reported=True),
    Count("extract_parts", EXTRACT),
    Count("extract_bytes", EXTRACT, "BytesStaged", "Bytes"),
    Count("transformed", TRANSFORM, "ItemsTransformed", reported=True),
    Count("dropped", TRANSFORM, "ItemsDropped", reported=True, outcome=True),
    Count("rejected_transform", TRANSFORM, "ItemsRejected", reported=True, outcome=True),
    Count("records", TRANSFORM, reported=True),
    Count("aggregate_records", GATE),
    Count("transform_parts", TRANSFORM),
    Count("transform_bytes", TRANSFORM, "BytesStaged", "Bytes"),
    Count("transform_quarantine_parts", TRANSFORM),
    Count("loaded", LOAD, "ItemsLoaded", reported=True, outcome=True),
    Count("superseded", LOAD, "ItemsSuperseded", reported=True, outcome=True),
    Count("rejected_load", LOAD, "ItemsRejected", reported=True, outcome=True),
    Count("load_requests", LOAD),
    Count("load_throttled", LOAD, "Throttles"),
    Count("write_units", LOAD),
    Count("load_quarantine_parts", LOAD),
    Count("ahead", TRANSFORM, outcome=True),
    Count("untimed", TRANSFORM, "ItemsUntimed", outcome=True),
)
COUNTS = tuple(count.name for count in TABLE)
POSITIONS = {name: position for position, name in enumerate(COUNTS)}
STAGE_OF = {count.name: count.stage for count in TABLE}
REPORTED = tuple(count.name for count in TABLE if count.reported)
OUTCOMES = tuple(count.name for count in TABLE if count.outcome)
REJECTED = {count.stage: count.name for count in TABLE if count.name == f"rejected_{count.stage}"}
"""The count of rejected records, by the action of the stage that rejects them."""
_FIRST_AFTER_GATE = next(stage.action for stage in MAPS if stage.action not in BEFORE_GATE)
PASSED_ON = (
    f"{read_by(_FIRST_AFTER_GATE)}_parts",
    *(f"{stage}_quarantine_parts" for stage in REJECTED if stage in BEFORE_GATE),
)
"""The counts that Gate passes on for each segment, since later stages need them."""


def reported_by(action: str) -> tuple[str, ...]:
    """The counts of a stage that each run's report has."""
    return tuple(count.name for count in TABLE if count.reported and count.stage == action)


class Equation(NamedTuple):
    """A line of the balance: the count ``total`` is the sum of the counts ``parts``.

    Attributes:
        stage: action of the stage that accounts for the total.
    """

    stage: str
    total: str
    parts: tuple[str, ...]


BALANCE = (
    Equation(EXTRACT, "read", ("extracted", NOT_REPLAYABLE)),
    Equation(TRANSFORM, "extracted", ("transformed", "dropped", "ahead", "untimed", "rejected_transform")),
    Equation(LOAD, "records", ("loaded", "superseded", "rejected_load")),
)


def by_name(counts: Iterable[int]) -> dict[str, int]:
    """Name the counts of a list by their positions; those that are 0 are left out."""
    return {name: count for name, count in zip(COUNTS, counts, strict=False) if count}


def judged(counts: Counts) -> int:
    """How many of the items read are the run's own: neither a later run's, nor without a time."""
    return counts.get("read", 0) - counts.get("ahead", 0) - counts.get("untimed", 0)


def rejected(counts: Counts, stage: str | None = None) -> int:
    """How many records were rejected, by one stage or by all stages."""
    return sum(counts.get(name, 0) for action, name in REJECTED.items() if stage in (None, action))


def set_aside(counts: Counts, stage: str | None = None) -> int:
    """How many records one stage or all stages put into quarantine: those rejected, and those without a time."""
    untimed = counts.get("untimed", 0) if stage in (None, STAGE_OF["untimed"]) else 0
    return rejected(counts, stage) + untimed


class Share(NamedTuple):
    """A number of records, and the number of which they are a part."""

    part: int
    whole: int

    def exceeds(self, percent: Decimal) -> bool:
        """Whether the share is above this percentage."""
        return self.part * 100 > percent * self.whole

    @property
    def percent(self) -> Decimal:
        """The share in percent, to one decimal; the whole must not be 0."""
        return (Decimal(100 * self.part) / self.whole).quantize(Decimal("0.1"))


def rejected_share(action: str, counts: Counts) -> Share:
    """The share of rejected records that Gate or Finish judges.

    Gate judges the rejections of the stages before it, Finish those of the stages after Gate.
    """
    before_gate = sum(rejected(counts, stage) for stage in BEFORE_GATE)
    if action == GATE:
        return Share(before_gate, judged(counts))
    return Share(rejected(counts) - before_gate, counts.get("records", 0))
