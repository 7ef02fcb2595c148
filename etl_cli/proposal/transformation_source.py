"""The transformation.py of a proposal, and its test."""

from __future__ import annotations

from collections.abc import Iterable

from etl.model.keys import KeyAttribute, keys_text
from etl_cli.proposal.contract import ContractWriter, Path, closing, percent
from etl_cli.proposal.kinds import personal
from etl_cli.proposal.proposal import Proposal
from etl_cli.proposal.python_source import Constants, comment, element, literal, shown, text_literal
from etl_cli.proposal.synthetic import full_item, least_item

_TYPING = {"Any", "NotRequired", "TypedDict"}
_KEY_WORDS = {"S": "text", "N": "a number", "B": "bytes"}
_CLASSES = {"S": "str", "N": "(int, Decimal)", "B": "bytes"}
_FEW = 20


def transformation_source(proposal: Proposal) -> str:
    """The text of transformation.py."""
    table = proposal.found.table
    contract = ContractWriter(proposal.profile, table.key, _remarks(proposal)).write(_about_contract(proposal))
    ours = {"Record", "Run", *(contract.used - _TYPING), *(["RejectedError"] if proposal.lacking_keys else [])}
    constants = Constants()
    body = _body(proposal, constants)
    lines = [
        f'"""The transformation of the pipeline {proposal.names.pipeline}: the file that you edit.',
        "",
        "`etl new` wrote it. docs/transformations.md shows what it can do.",
        '"""',
        "",
        *(["from decimal import Decimal"] if _compares_numbers(proposal) else []),
        f"from typing import {', '.join(sorted(contract.used & _TYPING))}",
        "",
        f"from etl.user import {', '.join(sorted(ours))}",
        *([""] * (2 if contract.lines[0].startswith("class ") else 1)),
        *contract.lines,
        "",
        "",
        *constants.lines(),
        *([""] if constants.lines() else []),
        "def transform(record: Record, run: Run) -> Record | list[Record] | None:",
        *_docstring(proposal),
        *body,
    ]
    return "\n".join(lines) + "\n"


def _about_contract(proposal: Proposal) -> str:
    number = proposal.profile.items
    first = "The attributes that a record must have. Others are allowed, and pass unchecked."
    if not number:
        return f"{first}\n\n    The table had no items, so only its key is here: add the other attributes."
    if number < _FEW:
        items = "1 item" if number == 1 else f"{number} items"
        return f"{first}\n\n    It comes from {items}, which show little. Check each attribute."
    return f"{first}\n\n    It comes from {number:,} items. An attribute without NotRequired is in all of them."


def _remarks(proposal: Proposal) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    for path, values in proposal.profile.paths():
        notes = found.setdefault(path, [])
        if kind := personal(path[-1], values):
            notes.append(f"Looks like personal data ({kind}). Drop it in transform(), or hash it, unless you need it.")
        looks = set(proposal.found.looks_like(path, values))
        if "TTL" in looks:
            notes.append("Looks like a TTL. Drop it in transform() unless the destination has one, too.")
        if "entity type" in looks and proposal.entity is None:
            notes.append("Looks like the type of the item: `etl new --entity` makes a pipeline for one type.")
        if proposal.cursor and path == proposal.time.path:
            notes.append("The time of the last change: see pipeline.toml.")
    return found


def _compares_numbers(proposal: Proposal) -> bool:
    return all(share for _, share in proposal.lacking_keys) and any(
        each.type == "N" for each, _ in proposal.lacking_keys
    )


def _docstring(proposal: Proposal) -> list[str]:
    key = ", ".join(shown(each.name) for each in proposal.destination_key)
    text = f"Pass the record on. The destination's key is {key}." if len(key) < 60 else "Pass the record on."
    return [f'    """{text}{closing(text)}']


def _body(proposal: Proposal, constants: Constants) -> list[str]:
    lines: list[str] = []
    for to, of in proposal.renamed_keys.items():
        lines.append(f"    record[{text_literal(to)}] = record[{constants.reference(of)}]")
    lacking = proposal.lacking_keys
    never = [each for each, share in lacking if not share]
    if never:
        return _refusal(never[0], constants, 4)
    for each, share in lacking:
        lines += comment(f"In {percent(round(share * 10**6), 10**6)} of the sampled items.", 4)
        lines.append(f"    if not isinstance(record.get({constants.reference(each.name)}), {_CLASSES[each.type]}):")
        lines += _refusal(each, constants, 8)
    return [*lines, "    return record"]


def _refusal(each: KeyAttribute, constants: Constants, indent: int) -> list[str]:
    reason = f"write transform(): the destination's key needs {_KEY_WORDS[each.type]} here"
    lines = [
        "raise RejectedError(",
        f"    {text_literal(reason)},",
        f"    field={constants.reference(each.name)},",
        ")",
    ]
    about = "Give the record this attribute of the destination's key in place of this line."
    return [*comment(about, indent), *(" " * indent + line for line in lines)]


def test_source(proposal: Proposal) -> str:
    """The text of test_transformation.py."""
    full, least = full_item(proposal), least_item(proposal)
    required = [each.name for each in proposal.found.table.key]
    constants = Constants()
    keys = constants.reference(keys_text(proposal.destination.key)) if proposal.destination else ""
    options = f", destination_keys={keys}" if keys else ""
    passing = _passing(proposal, constants, options)
    lines = [
        f'"""Tests of the transformation of the pipeline {proposal.names.pipeline}, with made-up items."""',
        "",
        "import pytest",
        "",
        "import transformation",
        "from etl.user import Record, RejectedError, preview",
        "",
        *constants.lines(),
        "# It has every attribute.",
        f"FULL: Record = {literal(full)}",
        "# It has only the attributes that every sampled item had.",
        f"LEAST: Record = {literal(least)}",
        *passing,
        "",
        "",
        "@pytest.mark.parametrize(",
        '    "name",',
        "    [",
        *(line for name in required for line in element(name, 8)),
        "    ],",
        ")",
        "def test_an_item_without_its_key_is_rejected(name: str) -> None:",
        "    with pytest.raises(RejectedError):",
        f"        preview(transformation, {{key: FULL[key] for key in FULL if key != name}}{options})",
    ]
    return "\n".join(lines) + "\n"


def _passing(proposal: Proposal, constants: Constants, options: str) -> Iterable[str]:
    case = ["", "", '@pytest.mark.parametrize("item", [FULL, LEAST])']
    if any(not share for _, share in proposal.lacking_keys):
        return [
            *case,
            "def test_an_item_is_rejected_until_transform_gives_it_its_key(item: Record) -> None:",
            '    with pytest.raises(RejectedError, match="write transform"):',
            f"        preview(transformation, item{options})",
        ]
    added = "".join(
        f", {text_literal(to)}: item[{constants.reference(of)}]" for to, of in proposal.renamed_keys.items()
    )
    expected = f"item | {{{added[2:]}}}" if added else "item"
    return [
        *case,
        "def test_an_item_passes(item: Record) -> None:",
        f"    assert preview(transformation, item{options}) == [{expected}]",
    ]
