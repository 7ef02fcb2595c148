"""The pipeline.toml of a proposal."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from etl.model.keys import keys_text
from etl_cli.proposal.proposal import Proposal
from etl_cli.proposal.python_source import WIDTH, shown
from etl_cli.terminal.formats import plural
from etl_cli.terminal.printable import is_hidden


def settings_source(proposal: Proposal) -> str:
    """The file's text."""
    found = proposal.found
    sampled = f"{plural(len(found.sample.lines), 'item')} of {found.table.short_name}"
    head = (
        f"The pipeline {proposal.names.pipeline}, which `etl new` proposes from {sampled}. Edit it: docs/tables.md "
        "explains the settings."
    )
    lines = [*_comment(head), "[settings]", *_tables(proposal), *_cursor(proposal), *_ceiling(proposal)]
    if proposal.entity:
        lines += ["", *_comment(f"Of the types of items in the table, only {shown(proposal.entity.label)}.")]
        lines += ["[settings.source_filter]", *_filter(proposal)]
    return "\n".join(lines) + "\n"


def toml_text(text: str) -> str:
    """A basic string of TOML."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _tables(proposal: Proposal) -> Iterator[str]:
    key = ", ".join(f"{shown(each.name)} ({each.type})" for each in proposal.found.table.key)
    yield from _comment(f"Its key is {key}. Plan reads it from the table.")
    yield f"source_table = {toml_text(proposal.found.table.name)}"
    if proposal.destination:
        yield f"destination_table = {toml_text(proposal.destination.name)}"
        return
    yield from _comment("The key of the table that the stack makes: the source's key. DynamoDB can't change it later.")
    yield f"destination_keys = {toml_text(keys_text(proposal.made_keys))}"


def _cursor(proposal: Proposal) -> Iterator[str]:
    yield ""
    if proposal.cursor is None:
        yield from _comment(
            "No attribute is taken for the time of an item's last change. So every run reads and loads the whole table."
        )
        yield 'source_cursor_format = "none"'
        return
    others = [shown(each.time.text) for each in proposal.candidates if each.time.path != proposal.time.path]
    yield from _comment(
        "The time of an item's last change. Check that every write sets it: a run takes the items of its window."
        + (f" Other candidates: {', '.join(others[:5])}." if others else "")
    )
    yield f"source_cursor = {toml_text(proposal.time.text)}"
    yield f'source_cursor_format = "{proposal.time.format}"'
    if proposal.time.format == "iso_local":
        yield from _comment("These times have no zone. Set yours, such as Europe/Berlin.")
        yield 'source_cursor_zone = "UTC"'
    if proposal.has_times_missing:
        yield from _comment(
            "Some sampled items have no such time. Every run loads them; quarantine or exclude are the other choices."
        )
        yield 'source_cursor_missing = "include"'


def _ceiling(proposal: Proposal) -> Iterator[str]:
    if proposal.read_ceiling:
        yield ""
        yield from _comment(
            f"The table has {proposal.found.table.read_units:,} provisioned read units a second. A run may take a "
            "quarter of them."
        )
        yield f"source_read_units_per_second = {proposal.read_ceiling}"


def _filter(proposal: Proposal) -> Iterator[str]:
    assert proposal.entity is not None  # noqa: S101 - for the type checker; the caller has looked
    document = proposal.entity.filter
    yield f"expression = {toml_text(document['expression'])}"
    for part in ("names", "values"):
        pairs = ", ".join(f"{toml_text(name)} = {toml_text(value)}" for name, value in document[part].items())
        yield f"{part} = {{ {pairs} }}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, WIDTH - 2)]


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if is_hidden(char):
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    return char
