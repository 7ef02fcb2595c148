"""Checks that Gate and Finish share: quarantine is complete, and not too many records were rejected."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from etl.model.balance import check_quarantine
from etl.model.counts import Counts, Share, set_aside
from etl.model.errors import QualityGateError
from etl.model.run import Run, Work
from etl.staging.bucket import Staging
from etl.staging.keys import quarantine_key

# A run may have thousands of parts, and a look at each takes two requests. The client has this many connections.
READERS = 16


def check_set_aside(run: Run, stage: str, counts: Counts, segments: list[Work], staging: Staging) -> None:
    """Check that quarantine holds all records that a stage set aside, unchanged.

    Args:
        run: the run.
        stage: action of the stage.
        counts: the run's totals, by name.
        segments: the work of the segments, with the numbers of the stage's objects in quarantine.
        staging: the staging bucket.

    Raises:
        BalanceError: quarantine holds more or fewer records.
        StagingError: an object in quarantine is missing or was changed.
    """
    with ThreadPoolExecutor(READERS) as readers:
        quarantined = sum(readers.map(staging.records, quarantine_keys(run, stage, segments)))
    check_quarantine(run, stage, set_aside(counts, stage), quarantined)


def quarantine_keys(run: Run, stage: str, segments: list[Work]) -> Iterator[str]:
    """The keys of all objects in quarantine that a stage wrote."""
    for work in segments:
        for part in range(work.counted(f"{stage}_quarantine_parts")):
            yield quarantine_key(stage, run, work.segment, part)


def check_rejected(run: Run, share: Share, most_percent: Decimal, reasons: Callable[[], str] = str) -> None:
    """Check the share of rejected records. A replay may reject any share, since its records failed before.

    Args:
        run: the run.
        share: the rejected records, and the records of which they are a part.
        most_percent: the allowed share, from 0 to 100.
        reasons: returns a part of a sentence about the reasons. It is called only if the check fails.

    Raises:
        QualityGateError: the share is above the threshold.
    """
    if not run.replay and share.exceeds(most_percent):
        raise QualityGateError(
            f"run {run.id}: {share.part:,} of {share.whole:,} items were rejected, {share.percent} %, and "
            f"{most_percent} % are allowed (REJECT_THRESHOLD_PERCENT){reasons()}; "
            f"look at quarantine/{run.id}/, correct the data or transformation.py, and run the window "
            f"{run.start} to {run.end} again"
        )
