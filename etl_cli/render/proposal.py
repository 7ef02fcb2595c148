"""The output of `etl new`: what a table shows, the choices, the cost, and the commands that come next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from rich.console import Group, RenderableType

from etl.model.names import Names
from etl_cli.aws.deploy_line import deploy_line
from etl_cli.costs.cost import money
from etl_cli.proposal.costs import Outlook, Outlooks
from etl_cli.proposal.cursors import Reading
from etl_cli.proposal.kinds import EntityType
from etl_cli.proposal.profile import Values
from etl_cli.proposal.proposal import Findings, Proposal
from etl_cli.proposal.sampling import TableDescription
from etl_cli.proposal.shapes import masked
from etl_cli.render.sections import section
from etl_cli.terminal.console import Terminal, Text
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.formats import duration, length, plural
from etl_cli.terminal.grid import Grid, table_width

MOST_SHOWN = 60
_WIDEST_NAME = 28


def print_sampling(console: Terminal, table: TableDescription, most: int, units: int) -> None:
    """Say what a sample will take, before it is taken."""
    number = f"all of about {table.items:,} items" if 0 < table.items <= most else f"{plural(most, 'item')}"
    of = f" of about {table.items:,}" if table.items > most else ""
    known = "about" if table.items else "at most"
    text = f"Reading {number}{of} of {table.short_name} in {table.region}: {known} {plural(units, 'read unit')}."
    console.print(text, width=table_width(console), soft_wrap=False)


def print_findings(console: Terminal, found: Findings) -> None:
    """Print the attributes of the sampled items, and what each looks like."""
    width, sample = table_width(console), found.sample
    whole = "all of them" if sample.whole else "a sample"
    more = ". More would be over 50 MB" if sample.full else ""
    parts: list[RenderableType] = [
        f"{plural(len(sample.lines), 'item')}, {whole}, with {plural(round(sample.units), 'read unit')}{more}."
    ]
    rows = list(found.profile.paths())
    if rows:
        parts += ["", _attributes(found, rows[:MOST_SHOWN])]
    if len(rows) > MOST_SHOWN:
        parts.append(Text(f"  and {plural(len(rows) - MOST_SHOWN, 'more attribute')}; --json has all", "dim"))
    if found.types:
        parts += section("Types of items", _types(found.types, found.profile.items))
    console.print(Group(*parts), width=width, soft_wrap=False)


def print_candidates(console: Terminal, found: Findings) -> None:
    """Print the attributes that may be the cursor."""
    if found.candidates:
        parts = section("The time of a change may be", _candidates(found.candidates, found))
        console.print(Group(*parts), width=table_width(console), soft_wrap=False)


def print_written(console: Terminal, proposal: Proposal, costs: Outlooks, files: Iterable[str], etl: EtlLines) -> None:
    """Print the choices, the files, the cost, and the commands that come next."""
    console.print()
    for name, value in _choices(proposal):
        console.print(Text.assemble("  ", (f"{name:12}", "dim"), value), soft_wrap=True)
    console.print(Text.assemble("  ", (f"{'Written':12}", "dim"), ", ".join(files)), soft_wrap=True)
    for name, outlook in (("First run", costs.first), ("A night", costs.nightly)):
        console.print(Text.assemble("  ", (f"{name:12}", "dim"), _cost(outlook)), soft_wrap=True)
    print_next(console, proposal.warnings, next_lines_of(proposal, etl))


def print_next(console: Terminal, warnings: Sequence[str], lines: Sequence[str]) -> None:
    """Print the commands that come next."""
    for warning in warnings:
        console.print()
        console.print(warning, width=table_width(console), soft_wrap=False)
    console.print()
    console.print("Next:", soft_wrap=True)
    for line in lines:
        console.print(f"  {line}", soft_wrap=True)


def next_lines(names: Names, table: TableDescription, etl: EtlLines, window: Sequence[str] = ()) -> list[str]:
    """The commands that come next: preview, deploy, and a run of a window."""
    own = etl.of(names.prefix)
    return [own.line("preview"), deploy_line(table.endpoint, names), own.line("run", *window)]


def next_lines_of(proposal: Proposal, etl: EtlLines) -> list[str]:
    """The commands that come after a proposal; the run takes all items."""
    return next_lines(proposal.names, proposal.found.table, etl, _first_window(proposal))


def print_copy(console: Terminal, names: Names, table: TableDescription, files: Iterable[str], etl: EtlLines) -> None:
    """Print the files of a copy, and the commands that come next."""
    console.print(f"Written: {', '.join(files)}, for {table.short_name}.", soft_wrap=True)
    print_next(console, [], next_lines(names, table, etl))


def share_words(share: float) -> str:
    """A share, which is 100 % or 0 % only if it is exactly that."""
    return f"{share:.0%}".replace("%", " %") if share in (0, 1) else f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def _attributes(found: Findings, rows: Sequence[tuple[tuple[str, ...], Values]]) -> Grid:
    table = Grid(gap=2)
    table.text(most=_WIDEST_NAME)
    table.text(most=14)
    table.whole("right")
    table.text(most=18)
    table.text()
    table.add_row(*(Text(each, "dim") for each in ("Attribute", "Types", "Share", "Example", "Looks like")))
    for path, values in rows:
        types = ", ".join(kind for kind, _ in values.types.most_common())
        looks = ", ".join(found.looks_like(path, values))
        share = found.profile.share(path)
        table.add_row(".".join(path), types, share_words(share), masked(values.example), looks)
    return table


def _candidates(candidates: Sequence[Reading], found: Findings) -> Grid:
    table = Grid(gap=2)
    table.text(most=_WIDEST_NAME + 2)
    table.whole()
    table.whole("right")
    table.whole()
    table.add_row(*(Text(each, "dim") for each in ("  Attribute", "Format", "Share", "Latest")))
    for each in candidates:
        table.add_row(f"  {each.time.text}", each.time.format, share_words(each.share), _ago(each, found))
    return table


def _types(types: Sequence[EntityType], items: int) -> Grid:
    table = Grid(gap=2)
    table.text(most=_WIDEST_NAME + 2)
    table.whole("right")
    table.text()
    for each in types:
        sign = "begins with" if each.is_prefix else "is"
        table.add_row(
            f"  {each.label}", share_words(each.items / items), Text(f"{each.attribute} {sign} {each.text}", "dim")
        )
    return table


def _ago(reading: Reading, found: Findings) -> str:
    if reading.latest is None:
        return "in the future"
    passed = timedelta(seconds=max(0, int(found.now.timestamp()) - reading.latest))
    for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)):
        if passed >= unit:
            return f"{length(passed // unit * unit)} ago"
    return "now"


def _choices(proposal: Proposal) -> Iterator[tuple[str, str]]:
    made, time = proposal.destination, proposal.time
    key = ", ".join(f"{each.name} ({each.type})" for each in proposal.destination_key)
    yield "Destination", f"{made.name if made else proposal.names.destination_table}, key {key}"
    if proposal.cursor is None:
        yield "Cursor", "none: every run reads and loads the whole table"
    else:
        yield "Cursor", f"{time.text} as {time.format}, in {share_words(proposal.cursor.share)} of the items"
    if proposal.entity:
        yield "Items", f"only {proposal.entity.label}"
    if proposal.read_ceiling:
        yield "Ceiling", f"{proposal.read_ceiling:,} of {proposal.found.table.read_units:,} read units a second"


def _cost(outlook: Outlook) -> str:
    return f"about {plural(outlook.items, 'item')}, {duration(outlook.found.seconds)}, {money(outlook.cost.total)}"


def _first_window(proposal: Proposal) -> list[str]:
    """The options of a run that takes all items; none if every run does."""
    if proposal.cursor is None:
        return []
    start = "1970-01-01" if (proposal.cursor.earliest or 0) >= 0 else "0001-01-01"
    return ["--start", start, "--end", f"{proposal.found.now:%Y-%m-%dT%H:%M:%SZ}"]
