"""The pages name existing things: links, targets of make, commands and options of `etl`."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
import typer

from etl_cli.app import app
from etl_cli.render.demo import next_commands
from etl_cli.terminal.etl_lines import EtlLines
from tests.support import ROOT

PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md"]
PAGES += sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
# Files that a run makes.
MADE = {"bench/results/full.json"}
LINK = re.compile(r"\]\(([^)\s:]+)\)")


def page(name: str) -> str:
    return (ROOT / name).read_text()


def headings(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    }


def leads_somewhere(name: str, link: str) -> bool:
    """Whether a page's link within the repository leads to a file, and to a heading of it."""
    path, _, anchor = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    return target.exists() and (not anchor or anchor in headings(target.read_text()))


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    assert [link for link in LINK.findall(page(name)) if not leads_somewhere(name, link)] == []


@pytest.mark.parametrize("link", ["docs/nowhere.md", "docs/design.md#nowhere", "#nowhere"])
def test_a_link_that_leads_nowhere_is_found(link: str) -> None:
    assert not leads_somewhere("README.md", link)


# The changelog also names files of earlier versions.
@pytest.mark.parametrize("name", [name for name in PAGES if name != "CHANGELOG.md"])
def test_paths_of_the_projects_code_exist(name: str) -> None:
    paths = re.findall(r"`((?:runtime|etl_cli|serverless_app|tests|bench|requirements)/[\w./-]+)`", page(name))

    assert [path for path in paths if path not in MADE and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_make_targets_that_are_named_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", page("Makefile"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", page(name), re.MULTILINE)) | set(
        re.findall(r"`make ([a-z]+)", page(name))
    )
    assert named <= targets


ETL_LINE = re.compile(r"(?:^|[`(/ ])etl ((?:local |quarantine )?[a-z]+)\b([^`\n]*)", re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_lines_of_the_command_are_known_to_it(name: str) -> None:
    unknown = [f"etl {words}{rest}" for words, rest in etl_lines(page(name)) if not is_known(words, rest)]

    assert unknown == []


@pytest.mark.parametrize("line", ["etl reprot latest", "etl local begin", "etl run --lookbak 3"])
def test_a_line_that_the_command_does_not_know_is_found(line: str) -> None:
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


def test_each_verb_of_the_command_has_a_section() -> None:
    assert set(verbs(typer.main.get_command(app), "etl")) == set(
        re.findall(r"^## (etl .+)$", page("docs/commands.md"), re.M)
    )


def verbs(command: Any, name: str) -> list[str]:
    """The lines that run a command's verbs, without their arguments."""
    inner = getattr(command, "commands", None)
    return [name] if inner is None else [line for verb, each in inner.items() for line in verbs(each, f"{name} {verb}")]


def test_the_picture_of_the_demo_ends_as_the_demo_does() -> None:
    drawn = unescape(re.sub(r"<[^>]+>", "", (ROOT / "docs" / "images" / "demo.svg").read_text())).replace("\xa0", " ")

    for command in next_commands(EtlLines(program=".venv/bin/etl")):
        assert command.line in drawn, "run `.venv/bin/python -m tests.docs.demo_picture`"
