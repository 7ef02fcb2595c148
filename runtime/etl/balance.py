"""The balance: every item that was read is loaded, set aside or left out on purpose, and counted."""

from collections.abc import Mapping

from etl.errors import BalanceError
from etl.run import Run

Counts = Mapping[str, int]


def check_transformed(run: Run, counts: Counts) -> None:
    """Check that Transform read all that Extract wrote.

    Args:
        run: the run.
        counts: its totals over all segments, by name.

    Raises:
        BalanceError: it read more or less.
    """
    _check(run, counts, "extract", ("extracted",), "transform", ("transformed", "dropped", "rejected_transform"))


def check_loaded(run: Run, counts: Counts) -> None:
    """Check that Load accounts for all that Transform wrote.

    Args:
        run: the run.
        counts: its totals over all segments, by name.

    Raises:
        BalanceError: it accounts for more or less.
    """
    _check(run, counts, "transform", ("records",), "load", ("loaded", "superseded", "rejected_load"))


def _check(run: Run, counts: Counts, before: str, given: tuple[str, ...], after: str, taken: tuple[str, ...]) -> None:
    expected, found = (sum(counts[name] for name in names) for names in (given, taken))
    if expected != found:
        parts = ", ".join(f"{name} {counts[name]:,}" for name in (*given, *taken))
        raise BalanceError(
            f"run {run.timestamp}: {before} wrote {expected:,} records and {after} accounts for {found:,}, "
            f"{abs(expected - found):,} {'fewer' if found < expected else 'more'} ({parts}); "
            f"a staged object was changed under {before}/{run.timestamp}/: start a new run of the window "
            f"{run.start} to {run.end}"
        )
