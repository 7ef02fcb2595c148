"""`etl report`: the report of a run, in the terminal or as one page that you can send."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_cli.aws.connection import AsJson, LocalTime, Profile, Region, RunName, connected
from etl_cli.render.failure import print_commands
from etl_cli.render.live_run import console_of_progress, print_failed, print_succeeded
from etl_cli.render.report import report_commands
from etl_cli.runs.ledger import find_run, read_ledger
from etl_cli.summary.run_summary import RunSummary, account_of, summarize, with_contents
from etl_cli.terminal.console import out, print_page
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import size
from etl_cli.terminal.times import Times
from etl_cli.terminal.typer_app import verb

if TYPE_CHECKING:
    from etl_cli.aws.deployment import Deployment

_OUTPUT = "-"


@verb(
    examples=("etl report", "etl report 20261124T020000123Z --html night.html", "etl report --html - --no-items"),
    exits={0: "the report is made, even if the run failed"},
)
def report(  # noqa: PLR0913 - each is an option
    run: RunName = "latest",
    *,
    html: Annotated[str, typer.Option(metavar="FILE", help="Write the page to this file; - prints it.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    items: Annotated[
        bool, typer.Option("--items/--no-items", help="Show contents of items, or leave out all of them.")
    ] = True,
    as_json: AsJson = False,
    local_time: LocalTime = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Report on a run that has ended: in the terminal, or as one page of HTML.

    The page works without network and without scripts. It shows the verdict, the window, the coverage of 30 days, all
    states and workers, the flow of the items, the reasons of rejection, a sample, and the cost.
    """
    if html and as_json:
        raise UserError("--html and --json are two forms of the report.", "Give one of them.")
    if html and html != _OUTPUT:
        check_file(Path(html), force=force)
    now, times, etl = datetime.now(UTC).replace(microsecond=0), Times(local_time), EtlLines(profile, region)
    with connected(profile, region) as deployment:
        entries, watermark = read_ledger(deployment.dynamodb, deployment.names, now)
        entry = find_run(entries, run)
        summary = summarize(deployment, entry)
        if not summary.succeeded and not summary.failure:
            raise UserError(f"The run {entry.label} has not ended.", f"Watch it: {etl.line('watch', entry.name)}")
        if not html:
            _print(deployment, summary, times, etl, as_json=as_json, items=items)
            return
        # Its templates take a while to load, and the other forms don't need them.
        from etl_cli.html_report.page import page_of, render

        summary = with_contents(deployment, summary, items=items)
        account = account_of(deployment, summary, entries, watermark)
        # The readers of the page have a command and settings of their own.
        page = render(page_of(deployment, summary, account, entries, now=now, times=times, etl=EtlLines(program="etl")))
    if html == _OUTPUT:
        print_page(page)
    else:
        write_file(Path(html), page.encode(), force=force)
        out.print(f"Wrote {html}, {size(len(page.encode()))}.")


def _print(
    deployment: Deployment, summary: RunSummary, times: Times, etl: EtlLines, *, as_json: bool, items: bool
) -> None:
    """Print the report of a run that has ended, as `etl run` does at its end, and commands that show more."""
    console = console_of_progress(as_json=as_json)
    if summary.failure:
        print_failed(console, summary.failure, etl, as_json=as_json)
        return
    summary = with_contents(deployment, summary, items=items)
    print_succeeded(console, deployment, summary, times, as_json=as_json)
    if not as_json:
        print_commands(console, report_commands(summary, etl))


def check_file(path: Path, *, force: bool) -> None:
    """Check before any work that a file can be written.

    Raises:
        UserError: it exists, or its folder doesn't.
    """
    if path.exists() and not force:
        raise UserError(f"{path} exists already.", "Give another name, or --force to replace it.")
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent}.", "Make it, or give another file.")


def write_file(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file.

    Raises:
        UserError: somebody has written it meanwhile, or it can't be written.
    """
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}.", "Give another file.") from None
