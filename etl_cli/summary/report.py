"""The report of a run that succeeded, put together from what AWS has of it: the history and the bucket."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl.model.counts import rejected
from etl_cli.items.quarantine import quarantine_of
from etl_cli.items.rejections import Rejection
from etl_cli.runs.history import Timeline
from etl_cli.runs.staged import before_and_after, item_id, named_key, record_key, staged_keys, staged_lines

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

WireItem = dict[str, Any]
"""An item of DynamoDB JSON."""


@dataclass(frozen=True)
class Equation:
    """One line of the balance: ``total`` is the sum of ``parts``, or an item is unaccounted for."""

    name: str
    total: int
    parts: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether it adds up."""
        return self.total == sum(self.parts.values())


@dataclass(frozen=True)
class Sample:
    """One item before and after. It stays bytes until it is looked at: as an object it takes a hundred times as much.

    Attributes:
        key: the record's.
        read: the item as the run read it, a line of DynamoDB JSON.
        made: the record as the run made it, a line of plain JSON.
    """

    key: dict[str, str]
    read: bytes
    made: bytes

    def sides(self) -> tuple[WireItem, WireItem]:
        """The item, and the record as it is for the destination table, in DynamoDB JSON, binaries in base64."""
        return before_and_after(self.read, self.made)


@dataclass(frozen=True)
class RunReport:
    """All that is told of a run.

    Attributes:
        run: its timestamp, which names it.
        window: ``start`` and ``end``, half-open, UTC.
        counts: the execution's counts by name.
        keys: S3 keys of the first object of each kind.
        quarantine: S3 keys of what was set aside.
        aggregates: as the gate staged them, numbers exact.
        stages: seconds by stage, in their order.
        seconds: how long the execution took.
        rejections: why items are in quarantine.
        rejections_cut: whether there are more of them than were looked at.
        left_out: in words, which contents of items are left out; empty for a whole report.
        replay: timestamp of the run whose quarantine this one took up, in that run's window; empty for a run of a
            window. What it read then are the quarantined records.
    """

    execution: str
    run: str
    window: dict[str, str]
    counts: dict[str, int]
    keys: dict[str, str]
    stages: dict[str, float]
    seconds: float
    quarantine: list[str] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    rejections_cut: bool = False
    aggregates: list[dict[str, Any]] = field(default_factory=list)
    sample: Sample | None = None
    replay: str = ""
    left_out: str = ""

    @property
    def rejected(self) -> int:
        """Items that any stage rejected."""
        return rejected(self.counts)

    def balance(self) -> list[Equation]:
        """Where every item and every record went."""
        counts = Counter(self.counts)
        return [
            Equation("read", counts["read"], _parts(counts, "extracted", *(["left"] if self.replay else []))),
            Equation(
                "extracted",
                counts["extracted"],
                _parts(counts, "transformed", "dropped", *(name for name in ("ahead", "untimed") if counts[name]))
                | {"rejected": counts["rejected_transform"]},
            ),
            Equation(
                "records",
                counts["records"],
                _parts(counts, "loaded", "superseded") | {"rejected": counts["rejected_load"]},
            ),
        ]


def _parts(counts: Counter[str], *names: str) -> dict[str, int]:
    return {name: counts[name] for name in names}


def collect(pipeline: Pipeline, execution: str, timeline: Timeline) -> RunReport:
    """Put the report of an execution together.

    Args:
        pipeline: where it ran.
        execution: its ARN.
        timeline: its whole history; it has succeeded.

    Raises:
        UserError: an object of the run isn't in the bucket any more.
    """
    output = timeline.output
    quarantine = quarantine_of(pipeline, output["run"])
    return RunReport(
        execution=execution,
        run=output["run"],
        window=output["window"],
        counts=output["counts"],
        keys=output["keys"],
        stages={stage.name: stage.seconds or 0.0 for stage in timeline.stages.values()},
        seconds=timeline.seconds or 0.0,
        quarantine=staged_keys(pipeline, f"quarantine/{output['run']}/"),
        rejections=quarantine.aside.rejections(),
        rejections_cut=quarantine.is_cut,
        aggregates=_aggregates(pipeline, output["keys"]["aggregates"]),
        sample=_sample(pipeline, output["keys"]),
        replay=output.get("replay", ""),
    )


def _aggregates(pipeline: Pipeline, key: str) -> list[dict[str, Any]]:
    body = pipeline.s3.get_object(Bucket=pipeline.staging_bucket, Key=key)["Body"].read()
    aggregates: list[dict[str, Any]] = json.loads(body, parse_float=Decimal)["aggregates"]
    return aggregates


def _sample(pipeline: Pipeline, keys: dict[str, str]) -> Sample | None:
    """The first record that was transformed, and the item that it was made of, if that has the same id.

    Both are those that the run staged: in the tables, other runs and programs have written since.
    """
    for made in staged_lines(pipeline, keys["transform"]):
        key = record_key(made)
        for read in staged_lines(pipeline, keys["extract"]):
            if item_id(read) == key[0]:
                return Sample(named_key(key), read, made)
        break
    return None
