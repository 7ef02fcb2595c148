"""The balance: every item that was read is loaded, set aside or left out on purpose, and counted."""

from etl.model.counts import Counts
from etl.model.errors import BalanceError
from etl.model.run import Run


def check_transformed(run: Run, counts: Counts) -> None:
    """Check that Extract wrote all that DynamoDB returned, and Transform read all that Extract wrote.

    Args:
        run: the run.
        counts: its totals over all segments, by name.

    Raises:
        BalanceError: one of them has more or less.
    """
    given = "quarantine held" if run.replay else "DynamoDB returned"
    _check(run, counts, (given, "read"), "extract", ("extracted", "left"), "an answer was not taken whole")
    taken = ("transformed", "dropped", "ahead", "untimed", "rejected_transform")
    _check(run, counts, ("extract wrote", "extracted"), "transform", taken, _changed("extract", run))


def check_loaded(run: Run, counts: Counts) -> None:
    """Check that Load accounts for all that Transform wrote.

    Args:
        run: the run.
        counts: its totals over all segments, by name.

    Raises:
        BalanceError: it accounts for more or less.
    """
    taken = ("loaded", "superseded", "rejected_load")
    _check(run, counts, ("transform wrote", "records"), "load", taken, _changed("transform", run))


def check_quarantine(run: Run, stage: str, aside: int, quarantined: int) -> None:
    """Check that quarantine holds the records that a stage set aside.

    Args:
        run: the run.
        stage: transform or load.
        aside: how many records the stage counted.
        quarantined: how many the stage's objects in quarantine hold.

    Raises:
        BalanceError: they hold more or less.
    """
    if quarantined != aside:
        raise BalanceError(
            f"run {run.id}: {stage} set {aside:,} records aside and {quarantined:,} lie in quarantine, "
            f"{abs(aside - quarantined):,} {'fewer' if quarantined < aside else 'more'}; "
            f"start a new run of the window {run.start} to {run.end}"
        )


def _changed(stage: str, run: Run) -> str:
    return f"a staged object was changed under {stage}/{run.id}/"


def _check(run: Run, counts: Counts, given: tuple[str, str], after: str, taken: tuple[str, ...], cause: str) -> None:
    before, name = given
    expected, found = counts[name], sum(counts[each] for each in taken)
    if expected != found:
        parts = ", ".join(f"{each} {counts[each]:,}" for each in (name, *taken))
        raise BalanceError(
            f"run {run.id}: {before} {expected:,} records and {after} accounts for {found:,}, "
            f"{abs(expected - found):,} {'fewer' if found < expected else 'more'} ({parts}); "
            f"{cause}: start a new run of the window {run.start} to {run.end}"
        )
