"""`python -m tests.faults`: survive every fault on the local environment, and hold real workers to a ceiling.

It prints the table of the faults, and a minute's use of the ceiling. See CONTRIBUTING.md.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from etl_cli.local.environment import LocalEnvironment
from etl_cli.terminal.console import out, print_error
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.progress import progress
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.suite import Row, Suite, random_of, running
from tests.faults.table import table
from tests.pipeline.ceiling import Measured, measure
from tests.pipeline.execution import Window
from tests.support import ROOT

CEILING, CEILING_SECONDS, MINUTE = 600, 75, 60


def main() -> int:
    """Run the suite; 1 when a fault was not survived or the ceiling not held, 2 when the environment can't be used."""
    arguments = _arguments()
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    faults = [fault for fault in FAULTS if arguments.fault.lower() in fault.name.lower()]
    started = time.monotonic()
    try:
        rows, measured = _survive(faults, arguments.rounds, seed, with_ceiling=not arguments.fault)
    except UserError as error:
        print_error(error)
        return 2
    caption = f"seed {seed}, {len(rows)} nights, {time.monotonic() - started:.0f} s"
    out.print(table(rows, caption))
    for row in rows:
        for finding in row.findings:
            out.print(f"{row.fault}: {finding}", markup=False)
    if measured:
        out.print(measured.told(MINUTE), markup=False)
    return int(any(row.findings for row in rows) or (measured is not None and not measured.is_held(MINUTE)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each fault is injected, at other moments")
    parser.add_argument("--seed", type=int, help="of the moments; without it, one that is printed")
    parser.add_argument(
        "--fault", default="", metavar="TEXT", help="only the faults with this text in their names, and no ceiling"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds must be 1 or more, got {arguments.rounds}")
    if not any(arguments.fault.lower() in fault.name.lower() for fault in FAULTS):
        parser.error(f"no fault has {arguments.fault!r} in its name: " + "; ".join(fault.name for fault in FAULTS))
    return arguments


def _survive(faults: list[Fault], rounds: int, seed: int, *, with_ceiling: bool) -> tuple[list[Row], Measured | None]:
    with tempfile.TemporaryDirectory(prefix="etl-faults-") as folder, progress("Faults") as show:
        environment = LocalEnvironment(ROOT, Path(folder))
        try:
            show("starting a local environment of its own, and deploying the stack")
            with running(environment) as (suite, rehearsal):
                rows = [rehearsal]
                for number in range(rounds):
                    for fault in faults:
                        show(f"round {number + 1} of {rounds}: {fault.name}")
                        rows.append(suite.survive(fault, random_of(seed, fault, number)))
                if not with_ceiling:
                    return rows, None
                show(f"a ceiling of {CEILING} write units a second, for {CEILING_SECONDS} s")
                return rows, _hold(suite)
        finally:
            environment.stop()


def _hold(suite: Suite) -> Measured:
    pipeline = suite.pipeline("ceiling-")
    try:
        return measure(pipeline, Window(datetime(2001, 1, 15, tzinfo=UTC)), CEILING, CEILING_SECONDS)
    finally:
        pipeline.clean_up()


if __name__ == "__main__":
    sys.exit(main())
