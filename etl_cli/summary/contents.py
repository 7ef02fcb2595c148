"""The contents of a run in bucket and tables: reasons in quarantine, aggregates, one item before and after."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from etl_cli.items.quarantine import quarantine_of
from etl_cli.items.rejections import Rejection
from etl_cli.runs.history import Timeline
from etl_cli.runs.ledger import Entry
from etl_cli.summary.left_out import EXPIRED, LEFT_OUT, names_alone, reasons_alone
from etl_cli.summary.report import Sample, collect
from etl_cli.terminal.errors import UserError

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What is there.

    Attributes:
        rejections: why items are in quarantine, the commonest reason first.
        cut: whether more are there than were looked at.
        aggregates: as the gate staged them.
        sample: one item before and after.
        left_out: in words, which contents of items are left out; empty if none are.
        gone: in words, why it isn't all there; empty if it is.
    """

    rejections: list[Rejection] = field(default_factory=list)
    cut: bool = False
    aggregates: list[dict[str, Any]] = field(default_factory=list)
    sample: Sample | None = None
    gone: str = ""
    left_out: str = ""

    def without_items(self) -> Contents:
        """The same without contents of items, which it says."""
        rejections, aggregates = reasons_alone(self.rejections), names_alone(self.aggregates)
        return replace(self, rejections=rejections, aggregates=aggregates, sample=None, left_out=LEFT_OUT)


def read_contents(pipeline: Pipeline, entry: Entry, timeline: Timeline | None) -> Contents:
    """Read what a run left.

    Args:
        pipeline: where it ran.
        entry: its entry in the ledger.
        timeline: its history; None when Step Functions has forgotten it, and the bucket long before.
    """
    if not entry.run:
        return Contents()
    gone = Contents(gone=EXPIRED)
    if timeline is None:
        return gone
    try:
        if timeline.status != "SUCCEEDED":
            return _rejected(pipeline, entry.run)
        report = collect(pipeline, entry.execution, timeline)
    except (UserError, pipeline.s3.exceptions.NoSuchKey):
        return gone
    return Contents(
        rejections=report.rejections, cut=report.rejections_cut, aggregates=report.aggregates, sample=report.sample
    )


def _rejected(pipeline: Pipeline, run: str) -> Contents:
    """Of a run that failed, what it had set aside until then."""
    found = quarantine_of(pipeline, run)
    return Contents(rejections=found.aside.rejections(), cut=found.is_cut)
