"""The written files: valid, harmless and formatted, for names and values of any kind."""

from __future__ import annotations

import keyword
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etl.model.keys import KeyAttribute, keys_text
from etl.model.settings_sources import FILE
from tests.hostile_texts import HOSTILE
from tests.proposals import Item, described, failed_tests, files_of, lint, proposed, type_errors, written

PYTHON = [*keyword.kwlist, *keyword.softkwlist, "str", "Contract", "Any", "Text", "transform", "run", "self", "items"]
UNUSUAL = ["__proto__", "__class__", "__doc__", "__x", "_", "a b", "1a", "größe", "日本", '"""', "# noqa", "{x}", "%s"]
LONG = ["x" * 255, "é" * 127, "\x00" * 255, "'\"" * 127, *("m" * number for number in range(60, 112, 3))]
VALUES: list[Any] = [
    {"S": "canary"},
    {"N": "77345.5"},
    {"M": {"a": {"S": "canary"}}},
    {"L": [{"S": "canary"}]},
    {"SS": ["canary"]},
    {"BOOL": True},
    {"NULL": True},
    {"B": "Y2FuYXJ5"},
    {"L": []},
    {"M": {}},
]
GROUPS = {
    "hostile": list(HOSTILE.values()),
    "python": PYTHON,
    "unusual": UNUSUAL,
    "long": LONG,
    "taken": ["str", "run"],
    "foreign": ["größe", "日本"],
}


def hostile_items(names: list[str]) -> list[Item]:
    """Three items with these names, at two depths, with all types and mixtures of them."""
    known = [name for name in names if name and len(name.encode()) <= 255]
    sample: list[Item] = []
    for position in range(3):
        each = {name: VALUES[(number + position * (number % 3)) % len(VALUES)] for number, name in enumerate(known)}
        some = dict(list(each.items())[position:])
        sample.append(
            {**some, "id": {"S": f"canary{position}"}, "in": {"M": {n: {"M": {n: {"N": "1"}}} for n in some}}}
        )
    return sample


@pytest.mark.parametrize("group", GROUPS)
def test_hostile_names_give_valid_and_harmless_python(tmp_path: Path, group: str) -> None:
    folder = written(tmp_path / "pipeline", proposed(hostile_items(GROUPS[group])))
    text = "".join(path.read_text() for path in folder.iterdir())

    assert lint(folder) == ""
    assert type_errors(folder) == ""
    assert failed_tests(folder) == ""
    assert "canary" not in text
    assert "77345" not in text
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["x" * 255, "日本", "a,b\\c", '"', "class"])
def test_hostile_keys_are_taken_over_and_asked_for(tmp_path: Path, name: str) -> None:
    key = keys_text((KeyAttribute(name),))
    sample = [{name: {"S": "canary"}, "text": {"S": "canary"}}]
    lacking = replace(described("text:S," + keys_text((KeyAttribute(f"{name[:200]}2", "N"),))), name="archive")
    for number, destination in enumerate([None, lacking]):
        proposal = proposed(sample, key, destination=destination)
        folder = written(tmp_path / str(number), proposal)

        assert lint(folder) == ""
        assert type_errors(folder) == ""
        assert failed_tests(folder) == ""
        assert ("RejectedError(" in (folder / "transformation.py").read_text()) == (destination is not None)


def test_a_key_that_no_setting_can_have_gets_another_name(tmp_path: Path) -> None:
    proposal = proposed([{"a ": {"S": "x"}}], "id:S")
    table = replace(proposal.found.table, key=(KeyAttribute("a "),))
    proposal = replace(proposal, found=replace(proposal.found, table=table))
    folder = written(tmp_path / "pipeline", proposal)

    assert tomllib.loads((folder / FILE).read_text())["settings"]["destination_keys"] == "pk:S"
    assert (lint(folder), type_errors(folder), failed_tests(folder)) == ("", "", "")


def test_a_destinations_key_in_some_items_is_asked_for_in_the_others(tmp_path: Path) -> None:
    sample: list[Item] = [
        {"id": {"S": "a"}, "customer": {"S": "x"}, "at": {"N": "1"}},
        {"id": {"S": "b"}, "customer": {"N": "1"}},
    ]
    proposal = proposed(sample, destination=replace(described("customer:S,at:N"), name="archive"))
    folder = written(tmp_path / "pipeline", proposal)

    assert [(each.name, share) for each, share in proposal.lacking_keys] == [("customer", 0.5), ("at", 0.5)]
    assert (lint(folder), type_errors(folder), failed_tests(folder)) == ("", "", "")
    assert "destination_keys" not in (folder / FILE).read_text()


def test_a_destinations_key_in_no_item_is_warned_of() -> None:
    proposal = proposed([{"id": {"S": "a"}}], destination=replace(described("customer:S"), name="archive"))
    files = files_of(proposal)

    assert "customer" in proposal.warnings[0]
    assert 'field="customer"' in files["transformation.py"]
    assert tomllib.loads(files[FILE])["settings"]["destination_table"] == "archive"


def test_types_that_the_contract_can_tell_apart_are_a_union(tmp_path: Path) -> None:
    kinds: list[Any] = [{"S": "x"}, {"N": "1.5"}, {"NULL": True}, {"M": {"a": {"N": "1"}}}, {"L": [{"S": "x"}]}]
    sample = [{"id": {"S": f"{number}"}, "mixed": kind} for number, kind in enumerate(kinds)]
    sample += [{"id": {"S": "b"}, "both": {"S": "x"}}, {"id": {"S": "c"}, "both": {"B": "eA=="}}]
    folder = written(tmp_path / "pipeline", proposed(sample))
    text = (folder / "transformation.py").read_text()

    assert "mixed: NotRequired[str | int | float | MixedMap | list[str] | None]" in text
    assert "both: NotRequired[Any]" in text
    assert (lint(folder), type_errors(folder), failed_tests(folder)) == ("", "", "")
