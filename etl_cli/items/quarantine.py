"""What the runs have in quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from etl.model.counts import set_aside
from etl_cli.items.rejections import MOST_REJECTED, Reason, Tally
from etl_cli.runs.staged import SetAside, rejected_records, staged_keys

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.runs.ledger import Entry

_PREFIX = "quarantine/"


@dataclass(frozen=True)
class Quarantine:
    """What one run has set aside.

    Attributes:
        run: its timestamp.
        aside: the records, counted by reason.
        is_cut: whether there are more than were counted.
        entry: the run's in the ledger; None if it has none.
    """

    run: str
    aside: Tally
    is_cut: bool = False
    entry: Entry | None = None


def quarantines(pipeline: Pipeline, entries: Sequence[Entry]) -> Iterator[Quarantine]:
    """The runs that have something in quarantine, the latest first."""
    by_run = {entry.run: entry for entry in entries if entry.run}
    keys = staged_keys(pipeline, _PREFIX)
    runs = [run for run, _ in groupby(keys, lambda key: key.removeprefix(_PREFIX).partition("/")[0])]
    for run in reversed(runs):
        yield quarantine_of(pipeline, run, by_run.get(run))


def quarantine_of(pipeline: Pipeline, run: str, entry: Entry | None = None) -> Quarantine:
    """What a run has in quarantine, which may be nothing.

    Args:
        pipeline: where to look.
        run: its timestamp; empty if it never had one.
        entry: its entry in the ledger.
    """
    tally, is_cut = Tally(), False
    for record in rejected_records(pipeline, run) if run else ():
        if is_cut := tally.total >= MOST_REJECTED:
            break
        tally.add(record.stage, Reason.of(record), record.identity)
    return Quarantine(run, tally, is_cut, entry)


def records_of(
    pipeline: Pipeline, run: str, field: str | None = None, identity: str | None = None
) -> Iterator[SetAside]:
    """The records that a run has set aside.

    Args:
        pipeline: where to look.
        run: its timestamp.
        field: only those that were set aside for this attribute; empty for the whole record.
        identity: only those of this id.
    """
    for record in rejected_records(pipeline, run) if run else ():
        if field in (None, record.field) and identity in (None, record.identity):
            yield record


def replay_left(entry: Entry) -> int:
    """How many records a replay has set aside again, or couldn't take up."""
    return set_aside(entry.counts) + entry.counts.get("left", 0)
