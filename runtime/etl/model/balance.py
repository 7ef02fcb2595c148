"""The balance: each item that was read is loaded, set aside or left out on purpose, and counted."""

from collections.abc import Container

from etl.model.counts import BALANCE, Counts, Equation
from etl.model.errors import BalanceError
from etl.model.run import Run
from etl.model.stages import EXTRACT, read_by


def check_balance(run: Run, counts: Counts, stages: Container[str]) -> None:
    """Check that each of these stages accounts for all records that it was given.

    Args:
        run: the run.
        counts: its totals over all segments, by name.
        stages: the actions of the stages to check.

    Raises:
        BalanceError: a stage accounts for more or fewer.
    """
    for equation in BALANCE:
        if equation.stage in stages:
            _check(run, counts, equation)


def check_quarantine(run: Run, stage: str, aside: int, quarantined: int) -> None:
    """Check that quarantine holds the records that a stage set aside.

    Args:
        run: the run.
        stage: action of the stage.
        aside: number of records that the stage counted.
        quarantined: number of records in the stage's objects in quarantine.

    Raises:
        BalanceError: quarantine holds more or fewer.
    """
    if quarantined != aside:
        raise BalanceError(
            f"run {run.id}: {stage} set {aside:,} records aside and quarantine holds {quarantined:,}, "
            f"{_difference(aside, quarantined)}; {_remedy(run)}"
        )


def _check(run: Run, counts: Counts, equation: Equation) -> None:
    stage, total, parts = equation
    expected, found = counts[total], sum(counts[each] for each in parts)
    if expected == found:
        return
    if stage == EXTRACT:
        given = "quarantine held" if run.replay else "DynamoDB returned"
        cause = "an answer was not read completely"
    else:
        given = f"{read_by(stage)} wrote"
        cause = f"a staged object was changed under {read_by(stage)}/{run.id}/"
    named = ", ".join(f"{each} {counts[each]:,}" for each in (total, *parts))
    raise BalanceError(
        f"run {run.id}: {given} {expected:,} records and {stage} accounts for {found:,}, "
        f"{_difference(expected, found)} ({named}); {cause}: {_remedy(run)}"
    )


def _difference(expected: int, found: int) -> str:
    return f"{abs(expected - found):,} {'fewer' if found < expected else 'more'}"


def _remedy(run: Run) -> str:
    return f"start a new run of the window {run.start} to {run.end}"
