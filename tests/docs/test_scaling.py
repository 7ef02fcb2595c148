"""docs/performance.md and docs/scaling.md have the figures of the last recorded run and the capacity model."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bench.pages import PAGES, TABLES, updated
from etl_cli.costs.capacity_inputs import MEASURED
from tests.support import ROOT

DOCUMENT: dict[str, Any] = json.loads(MEASURED.read_text())
# The allowed error of a predicted clock time, where the run is long enough to be about its records.
LONG, LEAST, MOST = 50_000, 0.7, 1.7


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_tables_are_those_of_the_recorded_run(name: str) -> None:
    assert updated(page(name), DOCUMENT) == page(name), "run `.venv/bin/python -m bench.pages`"


def test_every_table_is_shown_once() -> None:
    shown = [name for each in PAGES for name in re.findall(r"<!-- table (\w+) -->", page(each))]
    assert sorted(shown) == sorted(TABLES)


@pytest.mark.parametrize("name", ["ratios", "sizes"])
def test_pictures_are_shown_and_there(name: str) -> None:
    assert f"](images/bench-{name}.svg)" in page("performance.md")
    assert (ROOT / "docs" / "images" / f"bench-{name}.svg").exists()


def test_tables_that_are_not_of_this_run_are_noticed() -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document["model"]["load_us"] *= 3
    assert updated(page("scaling.md"), document) != page("scaling.md")


def test_the_model_predicts_the_emulated_lambda() -> None:
    rows = re.findall(
        r"^\| (\w+) \| ([\d,]+) \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|$", TABLES["check"](DOCUMENT), re.MULTILINE
    )
    assert {stage for stage, _, _ in rows} == {"extract", "transform", "load"}
    off = [row for row in rows if int(row[1].replace(",", "")) >= LONG and not LEAST <= float(row[2]) <= MOST]
    assert off == []


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = page(name)
    files = [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (ROOT / "docs" / link).exists()]
    heads = {
        re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in re.findall(r"^## (.+)$", text, re.MULTILINE)
    }
    anchors = [anchor for anchor in re.findall(r"\]\(#([^)]+)\)", text) if anchor not in heads]
    assert (files, anchors) == ([], [])
