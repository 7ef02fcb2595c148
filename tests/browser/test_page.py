"""The page of a run in a real browser: on a phone, on a desk, in the dark, and on paper."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from etl_cli.html_report.page import Page as Facts
from etl_cli.html_report.page import render
from tests.browser.chromium import Chromium, Page
from tests.cli.report_pages import AWS, FAILED, IN_MAP_RUNS, SUCCEEDED, made_up, page_facts
from tests.cli.test_html_report import hostile
from tests.fakes.recording import Recording

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PHONE, DESK = 360, 1280
MARKUP = (
    "</style></title><script>document.title='x'</script><img src=http://127.0.0.1:9/x onerror=alert(1)>\u202e\0"
    + "W" * 300
)


def facts() -> dict[str, Facts]:
    """The runs whose pages are looked at."""
    failed = page_facts(Recording(FAILED), endpoint=AWS)
    return {
        "succeeded": page_facts(Recording(SUCCEEDED)),
        "failed": failed,
        "distributed": page_facts(Recording(IN_MAP_RUNS)),
        "many": page_facts(made_up(36)),
        "more": page_facts(made_up(60)),
        "hostile": hostile(failed, MARKUP),
    }


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for name, known in facts().items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(render(known), encoding="utf-8")
    return made


@pytest.fixture(scope="module", params=["succeeded", "failed", "distributed", "many", "more", "hostile"])
def page(request: pytest.FixtureRequest, browser: Chromium, files: dict[str, Path]) -> Iterator[Page]:
    opened = browser.open(files[request.param].as_uri())
    yield opened
    opened.close()


def test_it_asks_for_nothing_and_has_nothing_to_complain_about(page: Page) -> None:
    page.show(DESK)

    assert len(page.requests) == 1
    assert page.requests[0].startswith("file://")
    assert page.complaints == []
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.title") != "x"


@pytest.mark.parametrize("width", [PHONE, 600, DESK])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.show(width)

    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(BEYOND) == []


# Elements beyond the right edge, but for those in an element that scrolls.
BEYOND = """
[...document.querySelectorAll("main *")]
  .filter(each => !each.closest(".wide") && each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 100))
"""


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_no_words_of_a_chart_lie_on_others(page: Page, width: int) -> None:
    page.show(width)

    boxes: list[dict[str, Any]] = page.evaluate(WORDS)

    assert len(boxes) > 10
    assert [(one["words"], other["words"]) for one, other in combinations(boxes, 2) if overlap(one, other)] == []


WORDS = """
[...document.querySelectorAll(".chart")].flatMap((chart, number) =>
  [...chart.querySelectorAll("text")].filter(each => getComputedStyle(each).display !== "none")
    .map(each => ({chart: number, words: each.textContent, box: each.getBoundingClientRect().toJSON()})))
"""


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two words of a chart lie on each other; lines may touch by their descenders."""
    a, b = one["box"], other["box"]
    across = min(a["right"], b["right"]) - max(a["left"], b["left"])
    down = min(a["bottom"], b["bottom"]) - max(a["top"], b["top"])
    return bool(one["chart"] == other["chart"] and across > 1 and down > 4)


@pytest.mark.parametrize(("width", "dark"), [(PHONE, True), (DESK, False)])
def test_it_is_accessible(page: Page, width: int, *, dark: bool) -> None:
    page.show(width, dark=dark)
    page.evaluate(f"{AXE.read_text()}; 0")

    result = page.evaluate("axe.run({resultTypes: ['violations']})")

    found = {each["id"]: [node["html"] for node in each["nodes"]] for each in result["violations"]}
    assert found == {}
    assert len(result["passes"]) > 20


@pytest.mark.parametrize("dark", [False, True])
def test_charts_have_contrast(page: Page, *, dark: bool) -> None:
    """Contrast with the background: words 4.5 to 1, graphics 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    page.show(DESK, dark=dark)

    low = page.evaluate(LOW_CONTRAST)

    assert low == []


LOW_CONTRAST = """
(() => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
      .map(each => each / 255).map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  const field = document.querySelector("rect.stage:not(.odd)");
  const grounds = [paper, ...(field ? [getComputedStyle(field).fill] : [])];
  const low = [];
  const check = (selector, property, least) => {
    for (const each of document.querySelectorAll(selector)) {
      const colour = getComputedStyle(each)[property];
      if (grounds.some(ground => contrast(colour, ground) < least))
        low.push([selector, colour, ...grounds.map(ground => contrast(colour, ground))]);
    }
  };
  check(".chart text", "fill", 4.5);
  check("rect.own, rect.covered, rect.work, rect.bad, .area, .node, .ribbon.thin", "fill", 3);
  check(".mark.succeeded circle, .mark.failed circle", "fill", 3);
  check("rect.gap, rect.pending, .mark.waiting circle", "stroke", 3);
  return low;
})()
"""


def test_it_is_light_on_paper_even_in_the_dark(page: Page) -> None:
    page.show(DESK, dark=True)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    printed = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.call("Emulation.setEmulatedMedia", media="")

    assert (dark, printed) == ("rgb(17, 22, 26)", "rgb(255, 255, 255)")


def test_it_prints_on_few_sheets_of_a4_none_of_them_empty(page: Page) -> None:
    sheets = PdfReader(io.BytesIO(page.pdf())).pages
    texts = [sheet.extract_text() for sheet in sheets]

    assert 3 <= len(sheets) <= 8
    assert {(round(float(sheet.mediabox.width)), round(float(sheet.mediabox.height))) for sheet in sheets} == {
        (595, 842)
    }
    assert all(len(text.split()) >= 15 for text in texts), [len(text.split()) for text in texts]
    headings = page.evaluate("[...document.querySelectorAll('h2')].map(each => each.textContent)")
    last_lines = [text.strip().splitlines()[-1].strip() for text in texts]
    assert set(last_lines).isdisjoint(headings), "a heading stands alone at the end of a sheet"
