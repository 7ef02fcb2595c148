"""`etl preview`: the local transformation over real items, before anything is deployed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.items.on_save import on_save
from etl_cli.runs.ledger import find_run, read_ledger
from etl_cli.terminal.console import out, print_error, print_json
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.progress import counting
from etl_cli.terminal.time_options import End, Start, execution_input
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.typer_app import verb
from etl_cli.terminal.words import parse_instant

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline
    from etl_cli.items.local_transformation import Outcome
    from etl_cli.items.preview_items import Taken
    from etl_cli.items.rehearsal import Rehearsed

EXIT_REJECTED = 3
SAMPLE = 100
SHOWN = 3


class Asked(NamedTuple):
    """What the options ask for."""

    sample: int | None
    ids: list[str]
    run: str | None
    window: Span | None
    shown: int | None


@verb(
    examples=("etl preview", "etl preview --id order-000042", "etl preview --watch", "etl preview --run latest"),
    exits={
        0: "nothing would be rejected",
        1: "the transformation can't be used, or another error",
        EXIT_REJECTED: "something would be rejected",
    },
)
def preview(  # noqa: PLR0913 - each is an option
    *,
    sample: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help=f"How many items; {SAMPLE} if left out, and all of a run's."),
    ] = None,
    ids: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="The item with this id; may be repeated.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Items that this run has read, and what differs from what it loaded."),
    ] = None,
    start: Start = None,
    end: End = None,
    show: Annotated[
        int | None,
        typer.Option(min=0, help=f"How many to show field by field; one of each kind, at most {SHOWN}, if left out."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Do it again whenever the file is saved; Ctrl-C ends.")
    ] = False,
    as_json: AsJson = False,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """Run the transformation.py of this checkout over real items, and show what becomes of them. Writes nothing.

    Takes items of the source table as they are now: the first that a scan finds, of a window if one is given.
    What is shown is what a run would do: the same code checks, transforms and adds up.

    With --run, the items are those that a run has read, in its window, and what differs from what it loaded is shown.
    """
    asked = _asked(sample, ids, run, (start, end), show)
    if watch and as_json:
        raise typer.BadParameter("--watch and --json don't go together.")
    with connected(profile, region) as pipeline:
        rehearse = prepare(pipeline, asked, Times(local_time), as_json=as_json)
        if watch:
            _watch(rehearse)
        rehearsed = rehearse()
    if rehearsed.aside.rejected:
        raise typer.Exit(EXIT_REJECTED)


def _asked(
    sample: int | None,
    ids: list[str] | None,
    run: str | None,
    window: tuple[datetime | None, datetime | None],
    shown: int | None,
) -> Asked:
    given = execution_input(*window, None, datetime.now(UTC))
    if sum(map(bool, (ids, run, given))) > 1:
        raise typer.BadParameter("--id, --run, and --start with --end exclude each other; see also etl explain ID.")
    if ids and sample:
        raise typer.BadParameter("--sample and --id exclude each other.")
    span = Span(parse_instant(given["start"]), parse_instant(given["end"])) if given else None
    return Asked(sample, ids or [], run, span, shown)


def prepare(pipeline: Pipeline, asked: Asked, times: Times, *, as_json: bool) -> Callable[[], Rehearsed]:
    """Take the items, once; what is returned runs them through the transformation as it is then, and prints.

    Raises:
        UserError: there are no such items.
    """
    from etl_cli.items.local_transformation import LocalTransformation
    from etl_cli.items.rehearsal import rehearse
    from etl_cli.render.preview import print_rehearsed
    from etl_cli.render.preview_document import rehearsed_document

    if asked.run:
        return _prepare_run(pipeline, asked, times, as_json=as_json)
    taken = _take(pipeline, asked)

    def preview_items() -> Rehearsed:
        rehearsed = rehearse(LocalTransformation(), taken)
        if as_json:
            print_json(rehearsed_document(rehearsed))
        else:
            print_rehearsed(out, rehearsed, pipeline.source_table, times, _chosen(rehearsed.outcomes, asked))
            _print_cut(taken)
        return rehearsed

    return preview_items


def _take(pipeline: Pipeline, asked: Asked) -> Taken:
    from etl_cli.items.preview_items import run_now, take_items, take_sample

    run = run_now(asked.window, datetime.now(UTC).replace(microsecond=0))
    if asked.ids:
        return take_items(pipeline, asked.ids, run)
    with counting("Reading the source table") as progress:
        return take_sample(pipeline, asked.sample or SAMPLE, asked.window, run, progress)


def _chosen(outcomes: list[Outcome], asked: Asked) -> list[Outcome]:
    """The outcomes to show field by field."""
    from etl_cli.render.preview import one_of_each_kind

    if asked.ids:
        return outcomes
    if asked.shown is None:
        return one_of_each_kind(outcomes)[:SHOWN]
    firsts = one_of_each_kind(outcomes)
    others = [outcome for outcome in outcomes if outcome.reason is None and outcome not in firsts]
    return [*firsts, *others][: asked.shown]


def _print_cut(taken: Taken) -> None:
    if taken.full:
        out.print()
        out.print(f"More than these {len(taken.lines):,} items would be over 50 MB; --id takes others.")
    if taken.cut:
        out.print()
        out.print(
            f"The first {taken.scanned:,} items of the table have no more of this window; "
            "--run takes what a run has read of it.",
        )


def _prepare_run(pipeline: Pipeline, asked: Asked, times: Times, *, as_json: bool) -> Callable[[], Rehearsed]:
    from etl_cli.items.local_transformation import LocalTransformation
    from etl_cli.items.rehearsal import PastRun
    from etl_cli.render.preview_document import run_document
    from etl_cli.render.preview_run import print_run

    most_examples = SHOWN if asked.shown is None else asked.shown
    past = PastRun(pipeline, find_run(read_ledger(pipeline.dynamodb, datetime.now(UTC))[0], asked.run or ""))

    def preview_run() -> Rehearsed:
        with counting("Transforming again what the run has read") as progress:
            rehearsed = past.rehearse(LocalTransformation(), asked.sample, most_examples, progress)
        if as_json:
            print_json(run_document(rehearsed))
        else:
            print_run(out, rehearsed, times)
        return rehearsed

    return preview_run


def _watch(rehearse: Callable[[], Rehearsed]) -> NoReturn:
    from etl_cli.items.local_transformation import TRANSFORMATION
    from etl_cli.items.transformation_file import files

    def work() -> None:
        if out.lives:
            out.clear()
        try:
            rehearse()
        except UserError as error:
            print_error(error)
        out.print()
        out.print(f"{datetime.now().astimezone():%H:%M:%S}  Waiting for a change; Ctrl-C ends.", style="dim")

    on_save(lambda: files(TRANSFORMATION), work)
