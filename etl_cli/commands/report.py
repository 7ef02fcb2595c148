"""`etl report`: the report of a run, in the terminal or as one page that can be sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, connected
from etl_cli.commands.follow import console_of_progress
from etl_cli.render.report import print_advice, print_commands, print_failure, print_report
from etl_cli.render.report_commands import report_commands
from etl_cli.render.report_document import failure_document, report_document
from etl_cli.runs.ledger import find_run, read_ledger
from etl_cli.summary.left_out import EXPIRED, without_items
from etl_cli.summary.record import RunRecord, read_record
from etl_cli.summary.report import RunReport, collect
from etl_cli.terminal.console import out, print_json, print_page
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb
from etl_cli.terminal.words import size

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Pipeline

_OUTPUT = "-"


@verb(
    examples=("etl report", "etl report 20261124T020000123Z --html night.html", "etl report --html - --no-items"),
    exits={0: "the report is made, however the run ended"},
)
def report(  # noqa: PLR0913 - each is an option
    run: Annotated[str, typer.Argument(help="The run's timestamp, its execution's name or ARN, or latest.")] = "latest",
    *,
    html: Annotated[str, typer.Option(metavar="FILE", help="Write the page to a file; - prints it.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    items: Annotated[
        bool, typer.Option("--items/--no-items", help="Whether contents of items are shown, in any form.")
    ] = True,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Report on a run that has ended: in the terminal, or as one page of HTML that can be sent.

    The page needs neither network nor script. It has the verdict, the window
    and what 30 days of runs have covered, every state and worker,
    where each item went and why, a sample, and the cost.
    """
    if html and as_json:
        raise UserError("--html and --json are two forms of the report.", "Give one of them.")
    if html and html != _OUTPUT:
        check_file(Path(html), force=force)
    times = Times(local_time)
    with connected(profile, region) as pipeline:
        page = _read(pipeline, run, times, EtlLines(profile, region), as_json=as_json, html=html, items=items)
    if html == _OUTPUT:
        print_page(page.decode())
    elif html:
        write_file(Path(html), page, force=force)
        out.print(f"Wrote {html}, {size(len(page))}.")


def _read(  # noqa: PLR0913 - what was typed
    pipeline: Pipeline, run: str, times: Times, etl: EtlLines, *, as_json: bool, html: str, items: bool
) -> bytes:
    """Print the report of a run, or make its page, which is UTF-8."""
    now = datetime.now(UTC).replace(microsecond=0)
    entries, watermark = read_ledger(pipeline.dynamodb, now)
    entry = find_run(entries, run)
    record = read_record(pipeline, entry, entries, watermark)
    if not record.report and not record.failure:
        raise UserError(f"The run {entry.label} has not ended.", f"Watch it: {etl.line('watch', entry.name)}")
    if not html:
        print_outcome(pipeline, record, times, etl, as_json=as_json, items=items)
        return b""
    # Its templates take a while to load, which the other forms of the report don't need.
    from etl_cli.html_report.facts import read_facts
    from etl_cli.html_report.page import render

    facts = read_facts(pipeline, record, entries, watermark, now)
    # Whoever reads the page has a command of their own, and settings of their own.
    text = render(facts, times, EtlLines(program="etl"), with_items=items)
    return text.encode()


def print_outcome(
    pipeline: Pipeline, record: RunRecord, times: Times, etl: EtlLines, *, as_json: bool, items: bool = True
) -> None:
    """Print the report of a run that has ended, as `etl run` does at its end.

    Args:
        pipeline: where it ran.
        record: the run.
        times: prints instants.
        etl: makes lines of this command.
        as_json: print JSON.
        items: show contents of items.
    """
    console, found = console_of_progress(as_json=as_json), _collected(pipeline, record)
    if found and not items:
        found = without_items(found)
    if as_json and record.failure:
        print_json(failure_document(record.failure))
    elif as_json and found:
        print_json(report_document(found))
    elif record.failure:
        print_failure(console, record.failure)
        print_advice(console, record.failure, etl)
    elif found:
        print_report(console, found, (pipeline.source_table, pipeline.destination_table), times=times)
        print_commands(console, report_commands(found, etl))


def _collected(pipeline: Pipeline, record: RunRecord) -> RunReport | None:
    """The report with what lies in the bucket, or without what has expired, which it says; None of a failed run."""
    if record.report is None:
        return None
    with suppress(UserError, pipeline.s3.exceptions.NoSuchKey):
        if record.timeline is not None:
            return collect(pipeline, record.entry.execution, record.timeline)
    return replace(record.report, left_out=EXPIRED)


def check_file(path: Path, *, force: bool) -> None:
    """See before any work whether a file can be written.

    Raises:
        UserError: it is there, or its folder isn't.
    """
    if path.exists() and not force:
        raise UserError(f"{path} is there already.", "Give another name, or --force to replace it.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent}.", "Make it, or give another file.")


def write_file(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file.

    Raises:
        UserError: it came to be meanwhile, or can't be written.
    """
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}.", "Give another file.") from None
