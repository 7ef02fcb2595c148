"""`etl preview`: your transformation over real items, before you deploy it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from etl.model.instants import parse_instant
from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.aws.deployed_schema import deployed_schema
from etl_cli.runs.ledger import read_run
from etl_cli.terminal.console import out, print_error, print_json
from etl_cli.terminal.context_option import Context, parse_context
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.progress import counting
from etl_cli.terminal.time_options import End, Start, execution_input
from etl_cli.terminal.times import Span, Times
from etl_cli.terminal.typer_app import verb

if TYPE_CHECKING:
    from pathlib import Path

    from etl_cli.aws.deployment import Deployment
    from etl_cli.items.local_transformation import Outcome
    from etl_cli.items.preview import Preview
    from etl_cli.items.sample import Sample

EXIT_REJECTED = 3
SAMPLE = 100
SHOWN = 3


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
        typer.Option(min=1, max=100_000, help=f"Number of items. Default: {SAMPLE}; with --run, all items of the run."),
    ] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option(
            "--id",
            metavar="KEY",
            help="Take the item with this key: ID, or 'PK SK' or 'pk=PK sk=SK' in quotation marks if the table has a "
            "sort key. Repeat it for more items.",
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Take the items of this run, and show the differences from its records."),
    ] = None,
    start: Start = None,
    end: End = None,
    show: Annotated[
        int | None,
        typer.Option(min=0, help=f"Number of items to show by field. Default: one of each kind, at most {SHOWN}."),
    ] = None,
    context: Context = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat it whenever you save the file, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    profile: Profile = None,
    region: Region = None,
    local_time: LocalTime = False,
) -> None:
    """Run the transformation.py of this checkout over real items, and show the results.

    A preview writes nothing. It takes items from the source table as they are now: the first items of a scan, or of a
    window. It gives the result of a run, because the same code checks, transforms and adds up.

    A pipeline that reads a table of yours needs no deployment for it: without one, this checkout has its settings.

    With --run, you see how the records of an earlier run would differ. With -c etl:pipelines=FOLDER, you preview
    the pipeline of that name in another folder of this checkout.
    """
    span = _window(start, end)
    if sum(map(bool, (ids, run, span))) > 1:
        raise typer.BadParameter("Give --id, or --run, or --start with --end; see also etl explain ID.")
    if ids and sample:
        raise typer.BadParameter("Give --sample or --id, not both.")
    if watch and as_json:
        raise typer.BadParameter("--watch and --json don't go together.")
    from etl_cli.items.local_transformation import transformation_path

    values, times = parse_context(context), Times(local_time)
    with connected(profile, region, context=None if run else values) as deployment:
        file = transformation_path(values, deployment.names.pipeline)
        if run:
            show_preview = _of_run(deployment, file, run, sample, show, None if as_json else times)
        else:
            taken = _take(deployment, sample or SAMPLE, ids, span)
            show_preview = _of_sample(deployment, file, taken, show, None if as_json else times)
        if watch:
            _watch(file, show_preview)
        shown = show_preview()
    if shown.aside.rejected:
        raise typer.Exit(EXIT_REJECTED)


def _window(start: datetime | None, end: datetime | None) -> Span | None:
    given = execution_input(start, end, None, datetime.now(UTC))
    return Span(parse_instant(given["start"]), parse_instant(given["end"])) if given else None


def _take(deployment: Deployment, most: int, ids: list[str] | None, window: Span | None) -> Sample:
    from etl_cli.items.item_key import parse_key_option
    from etl_cli.items.sample import preview_run, take_items, take_sample

    schema = deployed_schema(deployment)
    run = preview_run(window, datetime.now(UTC).replace(microsecond=0), schema)
    if ids:
        keys = [parse_key_option(schema.source, each, deployment.source_table) for each in ids]
        return take_items(deployment, keys, run)
    with counting("Reading the source table") as progress:
        return take_sample(deployment, most, window, run, progress)


def _of_sample(
    deployment: Deployment, file: Path, sample: Sample, show: int | None, times: Times | None
) -> Callable[[], Preview]:
    """A function that transforms a sample with the file as it is then, and prints the result; JSON without times."""
    from etl_cli.items.local_transformation import LocalTransformation
    from etl_cli.items.preview import preview_sample
    from etl_cli.render.preview import print_preview
    from etl_cli.render.preview_document import preview_document

    def show_preview() -> Preview:
        found = preview_sample(LocalTransformation(file, sample.run.schema, whole=True), sample)
        if times is None:
            print_json(preview_document(found))
        else:
            print_preview(out, found, deployment.source_table, times, _chosen(found, sample, show))
            _print_limits(sample)
        return found

    return show_preview


def _chosen(preview: Preview, sample: Sample, show: int | None) -> list[Outcome]:
    """The outcomes to show field by field: all of items given by their ids; else some that aren't rejected."""
    from etl_cli.render.preview import one_of_each_kind

    if not sample.scanned:
        return preview.outcomes
    firsts = one_of_each_kind(preview.outcomes)
    if show is None:
        return firsts[:SHOWN]
    others = [outcome for outcome in preview.outcomes if outcome.rejection is None and outcome not in firsts]
    return [*firsts, *others][:show]


def _print_limits(sample: Sample) -> None:
    if sample.full:
        out.print()
        out.print(f"The sample ends at {len(sample.lines):,} items, since more would be over 50 MB; --id takes others.")
    if sample.cut:
        out.print()
        out.print(
            f"The first {sample.scanned:,} items of the table have no more of this window; "
            "--run takes the items that a run has read.",
        )


def _of_run(
    deployment: Deployment, file: Path, run: str, most: int | None, show: int | None, times: Times | None
) -> Callable[[], Preview]:
    """The same for the items of an earlier run, with the differences from its records."""
    from etl_cli.items.local_transformation import LocalTransformation
    from etl_cli.items.preview import EarlierRun
    from etl_cli.render.preview_document import run_preview_document
    from etl_cli.render.preview_run import print_run_preview

    earlier = EarlierRun(deployment, read_run(deployment.dynamodb, deployment.names, run, datetime.now(UTC)))

    def show_preview() -> Preview:
        with counting("Transforming the items of the run") as progress:
            transformation = LocalTransformation(file, earlier.run.schema)
            found = earlier.preview(transformation, most, SHOWN if show is None else show, progress)
        if times is None:
            print_json(run_preview_document(found))
        else:
            print_run_preview(out, found, times)
        return found

    return show_preview


def _watch(file: Path, show: Callable[[], Preview]) -> NoReturn:
    from etl_cli.items.on_save import on_save
    from etl_cli.items.transformation_file import files

    def work() -> None:
        if out.lives:
            out.clear()
        try:
            show()
        except UserError as error:
            print_error(error)
        out.print()
        out.print(f"{datetime.now().astimezone():%H:%M:%S}  Waiting for a change; Ctrl-C ends.", style="dim")

    on_save(lambda: files(file), work)
