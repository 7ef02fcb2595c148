"""The balance: every item that was read is loaded, set aside or left out on purpose, and counted."""

from etl.errors import BalanceError
from etl.run import Run, Work, total


def check_transformed(run: Run, segments: list[Work]) -> None:
    """Check that Transform read all that Extract wrote.

    Raises:
        BalanceError: it read more or less.
    """
    _check(run, segments, "extract", ("extracted",), "transform", ("transformed", "dropped", "rejected_transform"))


def check_loaded(run: Run, segments: list[Work]) -> None:
    """Check that Load accounts for all that Transform wrote.

    Raises:
        BalanceError: it accounts for more or less.
    """
    _check(run, segments, "transform", ("records",), "load", ("loaded", "superseded", "rejected_load"))


def _check(
    run: Run, segments: list[Work], before: str, given: tuple[str, ...], after: str, taken: tuple[str, ...]
) -> None:
    expected = sum(total(segments, name) for name in given)
    found = sum(total(segments, name) for name in taken)
    if expected != found:
        parts = ", ".join(f"{name} {total(segments, name):,}" for name in (*given, *taken))
        raise BalanceError(
            f"run {run.timestamp}: {before} wrote {expected:,} records and {after} accounts for {found:,}, "
            f"{abs(expected - found):,} {'fewer' if found < expected else 'more'} ({parts}); "
            f"a staged object was changed under {before}/{run.timestamp}/: start a new run of the window "
            f"{run.start} to {run.end}"
        )
