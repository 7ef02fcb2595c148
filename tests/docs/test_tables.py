"""docs/tables.md: its settings are accepted, and its table of formats says what the formats accept."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from etl.model.change_time import ChangeTime, Format, Missing
from etl.model.configured_schema import schema_of
from etl.model.names import ETL
from etl.model.settings import SETTINGS
from etl.model.settings_sources import FILE, TRANSFORMATION, configured
from etl.tables.change_time import EVER, bounds, rule_of
from etl.tables.selection import check_length, selection
from serverless_app.settings import PipelineSettings
from tests.support import ROOT

PAGE = (ROOT / "docs" / "tables.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FORMATS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| [^|]* \|$", PAGE, re.MULTILINE))
WINDOW = bounds(*EVER, EVER[1])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / SETTINGS["pipelines"].default / ETL.pipeline
    folder.mkdir(parents=True)
    (folder / TRANSFORMATION).touch()
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_settings_is_accepted(checkout: Path, example: str) -> None:
    (checkout / SETTINGS["pipelines"].default / ETL.pipeline / FILE).write_text(example)

    given = configured({}, checkout)

    assert given
    check_length(selection(schema_of(PipelineSettings(**given)), WINDOW))


def test_the_example_of_the_command_line_is_accepted(checkout: Path) -> None:
    (line,) = re.findall(r"^npx cdk .*$", PAGE, re.MULTILINE)
    name, _, value = shlex.split(line)[-1].partition("=")

    assert schema_of(PipelineSettings(**configured({name: value}, checkout))).filter


def test_the_page_has_every_format_and_every_treatment() -> None:
    assert tuple(name for name in FORMATS if name in get_args(Format)) == get_args(Format)
    assert re.findall(r"^\| `(\w+)` \| (?:goes|is) ", PAGE, re.MULTILINE) == list(get_args(Missing))


@pytest.mark.parametrize("form", [each for each in get_args(Format) if each != "none"])
def test_a_format_accepts_its_examples(form: Format) -> None:
    rule = rule_of(ChangeTime(path=("t",), format=form))
    examples = re.findall(r"`([^`]+)`", FORMATS[form])

    assert examples
    for text in examples:
        assert rule.verdict({"t": text}, WINDOW) is None, text


def test_the_room_for_a_filter_is_as_the_page_says() -> None:
    size, operators = map(int, re.findall(r"about ([\d,]+) bytes and (\d+) operators", PAGE.replace(",", ""))[0])
    long = "attribute_exists(" + "x" * (size - len("attribute_exists()")) + ")"
    many = " OR ".join(["a=b"] * (operators // 2))
    for form in ("iso", "iso_offset", "iso_local", "date"):
        for expression in (long, many):
            text = json.dumps({"expression": expression})
            check_length(selection(schema_of(PipelineSettings(source_cursor_format=form, source_filter=text)), WINDOW))
