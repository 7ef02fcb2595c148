"""Finish: prove that the run adds up, and make its report."""

from decimal import Decimal
from typing import Any

from etl.model.balance import check_balance
from etl.model.counts import REJECTED, REPORTED, rejected_share
from etl.model.run import Run, Work, totals
from etl.model.stages import ACTIONS, BEFORE_GATE, FINISH, STAGED
from etl.rejection_checks import check_rejected, check_set_aside
from etl.staging.bucket import Staging
from etl.staging.keys import part_key

_AFTER_GATE = frozenset(ACTIONS) - frozenset(BEFORE_GATE)


def finish(
    run: Run, segments: list[Work], staging: Staging, threshold_percent: Decimal, gate: dict[str, Any]
) -> dict[str, Any]:
    """Prove that the run adds up. The result is the run's report, which the execution returns.

    Args:
        run: the run.
        segments: the work of Load, by segment.
        staging: the staging bucket.
        threshold_percent: the allowed share of rejected records, from 0 to 100.
        gate: the result of Gate: the key of the aggregates, and the totals of the stages before it.

    Raises:
        BalanceError: a record is unaccounted for, or quarantine lacks a record that was set aside.
        StagingError: the aggregates or an object in quarantine are missing or were changed.
        QualityGateError: the destination table refused more than the allowed share.
    """
    counts = {name: count + gate["counts"].get(name, 0) for name, count in totals(segments).items()}
    check_balance(run, counts, _AFTER_GATE)
    for stage in REJECTED:  # earlier stages too: their quarantine may have changed since Gate
        check_set_aside(run, stage, counts, segments, staging)
    staging.records(gate["aggregates"])
    check_rejected(run, rejected_share(FINISH, counts), threshold_percent)
    return {
        "status": "success",
        "run": run.id,
        "window": {"start": run.start, "end": run.end},
        **({"replay": run.replay.run} if run.replay else {}),
        "segments": len(segments),
        "keys": {**{stage: part_key(stage, run, 0, 0) for stage in STAGED}, "aggregates": gate["aggregates"]},
        "counts": {name: count for name, count in sorted(counts.items()) if count or name in REPORTED},
    }
