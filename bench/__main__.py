"""`python -m bench`: measure, print tables, write results, pictures and docs/. See bench/README.md."""

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench.environment import EnvironmentSetupError, enter

if TYPE_CHECKING:
    from rich.console import Console

    from bench.cold_start import ColdStart

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure as the arguments say; return 1 if a stage of ours failed or was wrong."""
    arguments = _arguments()
    try:
        enter(sys.argv[1:])
    except EnvironmentSetupError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return _measure(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer items and rounds: under 2 minutes, rough figures")
    parser.add_argument("--record", action="store_true", help="bring docs/ in step with the results")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of tables")
    parser.add_argument("--stage", action="append", choices=("extract", "transform", "load"), help="only this stage")
    parser.add_argument("--variant", action="append", default=[], help="only this module of bench/variants, or floor")
    parser.add_argument("--shapes", action="store_true", help="only our stages over sizes and shapes of items")
    parser.add_argument("--tables", action="store_true", help="only our stages over tables of another key or time")
    parser.add_argument("--profile", metavar="FOLDER", help="only write a profile of each of our stages there")
    arguments = parser.parse_args()
    if arguments.record and (arguments.stage or arguments.variant or arguments.tables or arguments.profile):
        parser.error("--record needs a whole run: leave out --stage, --variant, --tables and --profile")
    return arguments


def _measure(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from bench import floor
    from bench.machine import describe
    from bench.plan import FULL, QUICK, STAGES, make_plan
    from bench.record import record, summary, write_summary
    from bench.report import as_document, print_tables, write_document
    from bench.runner import run_plan, running_server

    kind = QUICK if arguments.quick else FULL
    stages = tuple(arguments.stage or STAGES)
    if arguments.profile:
        return _profile(Path(arguments.profile), stages)
    if arguments.shapes or arguments.tables:
        return _alone(arguments, quick=kind == QUICK)
    plan = make_plan(kind, stages=stages, variants=tuple(arguments.variant))
    console = Console(stderr=arguments.json, width=None if sys.stdout.isatty() else 120)
    no_floor = floor.build()
    with ExitStack() as stack:
        server, cgroups = stack.enter_context(running_server()), _cgroups(stack, console)
        results = run_plan(plan, server, cgroups, lambda text: console.print(text, style="dim", highlight=False))
    for result in results:
        if result.case.variant.name == "floor" and no_floor:
            result.problem = no_floor
    cold, machine = _cold_start(3 if arguments.quick else 15), describe()
    document = as_document(results, cold, machine)
    whole = not arguments.stage and not arguments.variant
    if whole:
        write_document(RESULTS / f"{kind}.json", document)
        write_summary(RESULTS / kind, summary(kind, results, cold, machine))
    if arguments.record:
        record(RESULTS / kind)
    if arguments.json:
        print(json.dumps(document))
    else:
        print_tables(console, results, cold, machine)
    ours = [result.problem for result in results if result.case.variant.name == "ours"]
    return int(any(problem and not problem.startswith("left out") for problem in ours))


def _alone(arguments: argparse.Namespace, *, quick: bool) -> int:
    """Measure one group of our stages alone; `--record` puts the rows of shapes among those of the last full run."""
    from rich.console import Console

    from bench.plan import SHAPED, TABLED, shaped, tabled
    from bench.record import record_shapes
    from bench.report import print_group
    from bench.runner import run_plan, running_server

    console = Console(width=None if sys.stdout.isatty() else 120)
    if arguments.shapes:
        group, cases = SHAPED, shaped(10 if quick else 1)
    else:
        group, cases = TABLED, tabled(20_000 if quick else 100_000, rounds=2 if quick else 5)
    with running_server() as server:
        results = run_plan(cases, server, [], lambda text: console.print(text, style="dim"))
    print_group(console, results, group)
    if arguments.record:
        record_shapes(results)
    return int(any(result.problem for result in results))


def _cold_start(rounds: int) -> "ColdStart":
    """Measure the cold start. A failure is a problem in the result: the other measurements stay."""
    from bench.cold_start import ColdStart, measure_cold_start

    try:
        return measure_cold_start(rounds)
    except subprocess.CalledProcessError as error:
        return ColdStart(problem=f"an import failed: {error.stderr.strip().splitlines()[-1][:160]}")


def _cgroups(stack: ExitStack, console: "Console") -> list[str]:
    """The emulated Lambda's control groups, for as long as the stack is open; none where there can't be any."""
    from bench.lambda_box import BoxUnavailableError, lambda_box

    try:
        return stack.enter_context(lambda_box())
    except BoxUnavailableError as error:
        console.print(f"The emulated Lambda is left out: {error}")
        return []


def _profile(folder: Path, stages: tuple[str, ...]) -> int:
    """Write a profile of each of our stages, and print its most expensive functions."""
    import pstats

    from bench.plan import OURS, Case
    from bench.runner import Result, run_case, running_server

    folder.mkdir(parents=True, exist_ok=True)
    with running_server() as server:
        for stage in stages:
            file = str((folder / f"{stage}.pstats").resolve())
            result = Result(case=Case(variant=OURS, stage=stage, items=20_000, group="dense", rounds=1))
            run_case(result, server, [], profile=file)
            print(f"{stage}: {result.problem or file}")
            pstats.Stats(file).sort_stats("tottime").print_stats(18)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
