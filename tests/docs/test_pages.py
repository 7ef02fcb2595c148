"""The pages name existing things: links, targets of make, commands and options of `etl`."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
import typer

from etl_cli.app import app
from etl_cli.commands.demo import next_commands
from etl_cli.terminal.etl_lines import EtlLines
from tests.support import ROOT

PAGES = (
    *("README.md", "CONTRIBUTING.md"),
    *("docs/design.md", "docs/monitoring.md", "docs/operations.md", "docs/transformations.md"),
)
LINK = re.compile(r"\]\(([^)#:]+)\)")
COMMAND_PAGES = sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def page(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    missing = [link for link in LINK.findall(page(name)) if not ((ROOT / name).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_make_targets_that_are_named_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", page("Makefile"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", page(name), re.MULTILINE)) | set(
        re.findall(r"`make ([a-z]+)", page(name))
    )
    assert named <= targets


ETL_LINE = re.compile(r"(?:^|[`(/ ])etl ((?:local |quarantine )?[a-z]+)\b([^`\n]*)", re.MULTILINE)


@pytest.mark.parametrize("name", COMMAND_PAGES)
def test_lines_of_the_command_name_what_it_has(name: str) -> None:
    unknown = [f"etl {words}{rest}" for words, rest in etl_lines(page(name)) if not is_known(words, rest)]

    assert unknown == []


@pytest.mark.parametrize("line", ["etl reprot latest", "etl local begin", "etl run --lookbak 3"])
def test_a_line_that_names_what_the_command_hasnt_is_found(line: str) -> None:
    ((words, rest),) = etl_lines(f"`{line}`")

    assert not is_known(words, rest)


def etl_lines(text: str) -> list[tuple[str, str]]:
    """The lines of the command in a page's code: its words, and the rest."""
    code = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    code += re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [(match[1], match[2]) for each in code for match in ETL_LINE.finditer(each)]


def is_known(words: str, rest: str) -> bool:
    """Whether there is such a command, with such options."""
    command: Any = typer.main.get_command(app)
    for word in words.split():
        command = getattr(command, "commands", {}).get(word)
    if command is None:
        return False
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    return set(re.findall(r"(?<= )--[a-z-]+", rest)) <= known


def test_the_picture_of_the_demo_ends_as_the_demo_does() -> None:
    drawn = unescape(re.sub(r"<[^>]+>", "", (ROOT / "docs" / "images" / "demo.svg").read_text())).replace("\xa0", " ")

    for command in next_commands(EtlLines(program=".venv/bin/etl")):
        assert command.line in drawn, "run `.venv/bin/python -m tests.docs.demo_picture`"
