"""`etl new`: a pipeline for a table that you have, written down from what the table shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from etl.model.change_time import Format
from etl.model.settings_sources import FILE, TRANSFORMATION
from etl_cli.aws.connection import AsJson, Profile, Region
from etl_cli.aws.place import find_place
from etl_cli.render.live_run import console_of_progress
from etl_cli.terminal.console import Terminal, out, print_error, print_json
from etl_cli.terminal.context_option import Context, parse_context
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.progress import counting
from etl_cli.terminal.typer_app import verb

if TYPE_CHECKING:
    from pathlib import Path

    from etl.model.names import Names
    from etl_cli.aws.place import Place
    from etl_cli.proposal.choices import Answers
    from etl_cli.proposal.proposal import Proposal
    from etl_cli.proposal.sampling import SampledTable, TableDescription, TableSample

EXIT_CHOICE = 2


@verb(
    examples=(
        "etl new orders --source orders-prod",
        "etl new orders --source shop --entity ORDER --cursor updatedAt",
        "etl new orders-eu --from orders --source orders-eu-prod",
    ),
    exits={EXIT_CHOICE: "wrong usage, or a choice is left to you and there is no terminal to ask at"},
)
def new(  # noqa: PLR0913 - each is an option
    name: Annotated[str, typer.Argument(metavar="NAME", help="The pipeline's name, and that of its folder.")],
    *,
    source: Annotated[str, typer.Option(metavar="TABLE", help="The table to read: its name or ARN.")],
    destination: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="A table that exists, to write. Default: the stack makes one."),
    ] = None,
    cursor: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="The attribute with the time of an item's last change, or none, if the choice isn't clear.",
        ),
    ] = None,
    cursor_format: Annotated[
        Format | None, typer.Option(help="The format of --cursor. Default: the one that most values have.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="Number of items to look at.")] = 1000,
    entity: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Read only the items of this type, if the table has several.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Keep all types of items together.")] = False,
    copied: Annotated[
        str | None,
        typer.Option("--from", metavar="PIPELINE", help="Copy this pipeline of the checkout for another table."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask before a sample that takes many read units.")] = False,
    context: Context = None,
    as_json: AsJson = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Write a pipeline for a table that you have: settings, contract, transformation and test.

    The command describes the table and reads a sample of its items. It shows their attributes, the candidates for the
    time of a change, and the types of items. Then it writes pipelines/NAME/, with no value of an item in it. It never
    overwrites a folder, and needs no more than dynamodb:DescribeTable and dynamodb:Scan on the table.

    If there is a choice, it asks on a terminal; otherwise give --cursor, and --entity or --all.
    """
    from etl_cli.proposal.choices import Answers, ChoiceError
    from etl_cli.proposal.folder import folder_of, names_of, new_folder

    if entity and every:
        raise typer.BadParameter("Give --entity or --all, not both.")
    if cursor_format and not cursor:
        raise typer.BadParameter("It goes with --cursor.", param_hint="--cursor-format")
    values = parse_context(context)
    folder, names = new_folder(values, name), names_of(values, name)
    place, lines = find_place(profile, region), EtlLines(profile, region)
    answers = Answers(cursor=cursor, cursor_format=cursor_format, entity=entity, every=every)
    tables = _Tables.describe(place, source, destination)
    if copied:
        _copy(tables, folder, folder_of(values, copied), names, lines, as_json=as_json)
        return
    try:
        proposal = _propose(tables, names, answers, sample, yes=yes, as_json=as_json)
    except ChoiceError as error:
        print_error(error)
        raise typer.Exit(EXIT_CHOICE) from None
    _write(proposal, folder, lines, as_json=as_json)


@dataclass(frozen=True)
class _Tables:
    """The table to read, its description, and that of a table to write if it exists."""

    source: SampledTable
    described: TableDescription
    destination: TableDescription | None

    @classmethod
    def describe(cls, place: Place, source: str, destination: str | None) -> _Tables:
        """Describe the tables.

        Raises:
            UserError: there is no such table, or you may not describe it, or both are the same.
        """
        from etl_cli.proposal.sampling import SampledTable

        if source == destination:
            raise UserError("--source and --destination must be two tables: a run would read what it wrote.")
        table = SampledTable(place, source)
        described = table.describe()
        return cls(table, described, SampledTable(place, destination).describe() if destination else None)


def _copy(tables: _Tables, folder: Path, copied: Path, names: Names, lines: EtlLines, *, as_json: bool) -> None:
    """Copy a pipeline for the tables, and show what comes next."""
    from etl_cli.proposal.copying import copied_files
    from etl_cli.proposal.folder import shown, write_folder
    from etl_cli.render.proposal import print_copy
    from etl_cli.render.proposal_document import copy_document

    made = tables.destination.name if tables.destination else None
    files = copied_files(copied, tables.described.name, made)
    write_folder(folder, files)
    written = [shown(folder / name) for name in files]
    if as_json:
        print_json(copy_document(names, tables.described, written, lines))
    else:
        print_copy(out, names, tables.described, written, lines)


def _propose(tables: _Tables, names: Names, answers: Answers, most: int, *, yes: bool, as_json: bool) -> Proposal:
    """Look at the table, show what it has, and make the choices."""
    from etl_cli.proposal.choices import choose_cursor, choose_type
    from etl_cli.proposal.findings import findings_of
    from etl_cli.proposal.proposal import Proposal
    from etl_cli.render.proposal import print_candidates, print_findings

    console = console_of_progress(as_json=as_json)
    taken = _take(console, tables, most, yes=yes)
    now = datetime.now(UTC).replace(microsecond=0)
    found = findings_of(tables.described, taken, now)
    if not as_json:
        print_findings(console, found)
    entity = choose_type(found, answers)
    of_type = findings_of(tables.described, taken, now, entity) if entity else found
    if not as_json:
        print_candidates(console, of_type)
    return Proposal(
        names=names,
        found=found,
        profile=of_type.profile,
        candidates=of_type.candidates,
        cursor=choose_cursor(of_type, answers, entity),
        entity=entity,
        destination=tables.destination,
    )


def _take(console: Terminal, tables: _Tables, most: int, *, yes: bool) -> TableSample:
    from etl_cli.proposal.choices import agree_to_read
    from etl_cli.proposal.sampling import expected_units, segments_of
    from etl_cli.render.proposal import print_sampling

    described = tables.described
    units = expected_units(described, most)
    print_sampling(console, described, most, units)
    if not yes:
        agree_to_read(described, units)
    with counting(f"Reading {described.short_name}") as progress:
        return tables.source.sample(most, segments_of(described, most), progress)


def _write(proposal: Proposal, folder: Path, lines: EtlLines, *, as_json: bool) -> None:
    """Write the folder, and show what is in it and what comes next."""
    from etl_cli.proposal.costs import outlooks
    from etl_cli.proposal.folder import shown, write_folder
    from etl_cli.proposal.toml_source import settings_source
    from etl_cli.proposal.transformation_source import test_source, transformation_source
    from etl_cli.render.proposal import print_written
    from etl_cli.render.proposal_document import proposal_document

    costs = outlooks(proposal)
    files = {
        FILE: settings_source(proposal),
        TRANSFORMATION: transformation_source(proposal),
        f"test_{TRANSFORMATION}": test_source(proposal),
    }
    write_folder(folder, files)
    written = [shown(folder / name) for name in files]
    if as_json:
        print_json(proposal_document(proposal, costs, written, lines))
    else:
        print_written(out, proposal, costs, written, lines)
