"""The page of a run: what it says, how it is built, and that no content of an item can become part of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.model.rejection import RejectedError
from etl_cli.html_report.page import LONGEST, Page, render
from etl_cli.items.rejections import Rejection
from etl_cli.summary.contents import EXPIRED, Contents, Sample
from etl_cli.terminal.printable import visible_lines
from etl_cli.terminal.times import Times
from tests.cli.html_outline import Outline
from tests.cli.report_pages import AWS, FAILED, IN_MAP_RUNS, SUCCEEDED, made_up, page_facts, run_of, tally_of
from tests.fakes.aws import RefusalError
from tests.fakes.recording import Recording

GOLDEN = Path(__file__).parent / "golden"
ALL: dict[str, Callable[[], Page]] = {
    "succeeded": lambda: page_facts(Recording(SUCCEEDED)),
    "failed": lambda: page_facts(Recording(FAILED), endpoint=AWS),
    "in Map Runs": lambda: page_facts(Recording(IN_MAP_RUNS)),
    "of 36 segments": lambda: page_facts(made_up(36)),
    "failed at its start": lambda: page_facts(Recording("failed_at_plan"), started_only()),
}


def started_only() -> Any:
    """The entry of a run that failed before it had a window."""
    recording = Recording("failed_at_plan")
    entry = run_of(Recording(FAILED))
    description = recording.description
    return replace(
        entry,
        run="",
        window=None,
        stage="Plan",
        segments=0,
        error=description["error"],
        cause=description["cause"],
        name=description["name"],
        execution=recording.execution,
        started=description["startDate"],
        finished=description["stopDate"],
    )


def outline_of(facts: Page) -> Outline:
    return Outline(render(facts))


@pytest.fixture(scope="module", params=ALL)
def page(request: pytest.FixtureRequest) -> Outline:
    return outline_of(ALL[request.param]())


def without_cost(page: Outline) -> list[str]:
    """What a page says, block by block, without its numbers of dollars: prices change."""
    said = [f"{tag}: {' '.join(text.split())}" for tag, text in page.blocks]
    return [each for each in said[: said.index("h2: Cost")] if "$" not in each] + said[said.index("h2: Look further") :]


@pytest.mark.parametrize("name", ["succeeded", "failed"])
def test_the_page_has_the_text_of_the_golden_one(name: str) -> None:
    outline = outline_of(ALL[name]())

    assert "\n".join(without_cost(outline)) + "\n" == (GOLDEN / f"page_{name}.txt").read_text()


def test_the_page_needs_nothing_else(page: Outline) -> None:
    names = {tag for tag, _ in page.elements}
    addresses = [value for _, attributes in page.elements for name, value in attributes.items() if name == "href"]

    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video"})
    assert all(re.match(r"https://[a-z0-9-]+\.console\.aws\.amazon\.com/", address) for address in addresses)
    assert not {name for _, attributes in page.elements for name in attributes if name.startswith("on")}
    assert "default-src 'none'" in page.all("meta")[1]["content"]


def test_the_page_is_well_built(page: Outline) -> None:
    headings = [tag for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    labels = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]

    assert page.unclosed == []
    assert page.all("html") == [{"lang": "en"}]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
    assert len(ids) == len(set(ids))
    assert set(labels) <= set(ids)
    assert all("scope" in attributes for attributes in page.all("th"))
    charts = [attributes for attributes in page.all("svg") if "chart" in attributes.get("class", "")]
    assert all((chart.get("role") == "img" and chart["aria-label"]) or chart.get("aria-hidden") for chart in charts)


def test_a_failed_run_begins_with_stage_error_cause_and_remedy() -> None:
    page = outline_of(ALL["failed"]())
    first = [(tag, " ".join(text.split())) for tag, text in page.blocks if tag != "title"][:8]

    assert first[1] == ("h1", "The run failed at Gate")
    assert first[2] == ("p", "QualityGateError")
    assert first[3] == ("h2", "Why")
    assert "items were rejected" in first[4][1]
    assert first[5] == ("h2", "What to do")
    assert first[6][0] == "p"
    assert first[7] == ("pre", f"etl quarantine show {run_of(Recording(FAILED)).run}")
    assert "Not loaded 222" in page.said("dt")


@pytest.mark.parametrize(("status", "says"), [("ABORTED", "was stopped"), ("TIMED_OUT", "ran out of time")])
def test_a_run_that_was_ended_is_said_so(status: str, says: str) -> None:
    entry = replace(run_of(Recording(FAILED)), status=status, stage="Load", error=status, cause="")

    assert outline_of(page_facts(Recording(FAILED), entry)).said("h1") == [f"The run {says} at Load"]


def test_a_run_of_distributed_maps_shows_how_far_each_came() -> None:
    page = outline_of(ALL["in Map Runs"]())

    assert "Distributed Maps" in "".join(page.said("p"))
    assert [each for each in page.said("text") if " of " in each] == [
        "Extract, 4 of 4",
        "Transform, 4 of 4",
        "Load, 4 of 4",
    ]


def test_counts_that_do_not_add_up_are_the_verdict() -> None:
    recording = Recording(SUCCEEDED)
    entry = run_of(recording)
    page = outline_of(page_facts(recording, replace(entry, counts=entry.counts | {"loaded": 1})))

    assert page.said("h1") == ["The run succeeded, and its counts don't add up"]
    assert [line for line in page.said("li") if "does not add up" in line] == [
        "records 104 = loaded 1 + superseded 0 + rejected 0 does not add up"
    ]


def test_a_window_without_items_is_no_failure() -> None:
    recording = Recording(SUCCEEDED)
    page = outline_of(page_facts(recording, replace(run_of(recording), counts={"scanned": 16_000})))

    assert page.said("h1") == ["Nothing to load: no item is in the window"]
    assert "Items" not in page.said("h2")


def test_a_replay_names_the_run() -> None:
    recording = Recording("replayed")
    page = outline_of(page_facts(recording, replace(run_of(recording), replay="20261124T211315190Z")))

    assert page.said("p")[0] == "ETL pipeline, replay of a quarantine"
    assert "the quarantine of run 20261124T211315190Z" in page.said("dd")
    assert [each for each in page.said("p") if "taken up from quarantine" in each]


def test_expired_contents_are_missing_and_said_so() -> None:
    recording = Recording(SUCCEEDED)
    recording.s3.objects.clear()
    page = outline_of(page_facts(recording))

    assert [each for each in page.said("p") if each == EXPIRED]
    assert page.said("h1") == ["104 loaded, 34 rejected, nothing unaccounted for"]
    assert "One item, before and after" not in page.said("h2")


def test_a_forgotten_run_still_has_its_balance() -> None:
    gone = RefusalError("ExecutionDoesNotExist")
    facts = page_facts(Recording(SUCCEEDED), changes={"sfn.DescribeExecution": gone, "sfn.GetExecutionHistory": gone})
    page = outline_of(facts)

    assert facts.summary.timeline is None
    assert [each for each in page.said("p") if each.startswith("Step Functions has forgotten the execution")]
    assert {"Items", "Cost", "Window and coverage"} <= set(page.said("h2"))
    assert "Workers" not in page.said("h2")


def test_items_are_left_out_if_asked_for() -> None:
    facts = ALL["succeeded"]()
    without = replace(facts.summary, contents=facts.summary.contents.without_items())
    contents = render(facts), render(replace(facts, summary=without))

    assert ["order-000056" in each for each in contents] == [True, False]
    assert ["no such attribute" in each for each in contents] == [True, False]
    assert ["a time in UTC such as" in each for each in contents] == [True, False]
    assert RejectedError.summary in contents[1]  # a run of before there were summaries


def test_times_are_in_utc_or_in_the_zone_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = ALL["of 36 segments"]()
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "America/New_York")
        time.tzset()
        pages = outline_of(facts), outline_of(replace(facts, times=Times(local=True)))
    time.tzset()
    windows = [next(each for each in page.said("dd") if " to " in each) for page in pages]

    assert windows[0] == "2026-11-25 01:45:00 to 2026-11-26 02:00:00 UTC, 24 h 15 min"
    assert windows[1] == "2026-11-24 20:45:00 to 2026-11-25 21:00:00 EST, 24 h 15 min"
    assert [("Nov 26" in page.said("text")) for page in pages] == [True, False]  # there it is the 25th still


def test_long_windows_and_old_windows_are_on_the_line() -> None:
    recording = Recording(SUCCEEDED)
    entry = run_of(recording)
    assert entry.window
    start, end = entry.window
    old = replace(entry, window=entry.window._replace(start=start - timedelta(days=400), end=end - timedelta(days=399)))
    long = replace(entry, window=entry.window._replace(start=start - timedelta(days=90)))

    for changed, days in ((old, "30 days"), (long, "91 days")):
        page = outline_of(page_facts(recording, changed, with_nights=False))
        assert [each for each in page.said("p") if each.startswith(f"In the {days} up to ")]


def hostile(facts: Page, text: str) -> Page:
    """The facts with a text wherever one can come from outside."""
    failure, timeline = facts.summary.failure, deepcopy(facts.summary.timeline)
    assert timeline
    timeline.error = text
    for invocation in timeline.workers.invocations:
        invocation.error = text
    contents = Contents(
        keys={"extract": text},
        aside=tally_of(Rejection("transform", text, f"expected {text}", text, example=text, count=3)),
        aggregates=[{"name": text, "by": [text], "groups": [{text: text, "other": 1}, {text: None, "other": text}]}],
        sample=Sample(
            {},
            json.dumps({text: {"S": text}, "b": {"M": {text: {"S": text}}}}).encode(),
            json.dumps({text: [text]}).encode(),
        ),
        expired=True,
    )
    summary = replace(
        facts.summary,
        entry=replace(facts.summary.entry, name=text, run=text, execution=f"arn:aws:states:{text}:{text}:x:y"),
        failure=replace(failure, error=text, message=text, where=[text, text], stage=text) if failure else None,
        timeline=timeline,
        contents=contents,
    )
    return replace(facts, summary=summary, tables=(text, text))


PLAIN = {name: hostile(ALL[name](), "aplainz") for name in ("succeeded", "failed")}
SKELETONS = {name: outline_of(facts).skeleton for name, facts in PLAIN.items()}
MARKUP = [
    "</style><script>x()</script>",
    '"><img src=x onerror=x()>',
    "' onload='x()",
    "{{ 7 * 7 }}{% raw %}",
    "]]>",
    "-->",
]


@settings(max_examples=60, deadline=None)
@given(text=st.text(min_size=1) | st.sampled_from(MARKUP), name=st.sampled_from(list(PLAIN)))
def test_hostile_text_stays_text(text: str, name: str) -> None:
    # A letter before and after, since an empty text, or one of blanks, is shown in another way.
    page = outline_of(hostile(PLAIN[name], f"a{text}z"))

    assert page.skeleton == SKELETONS[name]
    assert visible_lines(f"a{text}z") in [said for tag, said in page.blocks if tag == "dd"]


def test_control_characters_are_seen() -> None:
    cells = outline_of(hostile(PLAIN["succeeded"], "a\0b\x7f\x1b[0m\r")).said("td")

    assert r"a\x00b\x7f\x1b[0m\r" in cells


def test_long_texts_are_cut() -> None:
    cells = outline_of(hostile(PLAIN["succeeded"], "a" * 400_000)).said("td")

    rest = "… (400,000 characters)"
    assert "a" * (LONGEST - len(rest)) + rest in cells
